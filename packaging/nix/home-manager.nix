# home-manager: the package, the daemon of the user's, and tunnels as ~/.config/holdfast/NAME.tunnel.
self:
{ config, lib, pkgs, ... }:
let
  cfg = config.services.holdfast;
  tunnel = import ./tunnel.nix { inherit lib; };
in
{
  options.services.holdfast = {
    enable = lib.mkEnableOption "Holdfast, which keeps SSH tunnels up";
    package = lib.mkOption {
      type = lib.types.package;
      default = self.packages.${pkgs.system}.default;
      description = "The package.";
    };
    tunnels = lib.mkOption {
      type = lib.types.attrsOf (lib.types.submodule { inherit (tunnel) options; });
      default = { };
      description = "Tunnels of the user's.";
    };
  };

  config = lib.mkIf cfg.enable {
    home.packages = [ cfg.package ];
    xdg.configFile = lib.mapAttrs' (name: t: lib.nameValuePair "holdfast/${name}.tunnel" { text = tunnel.render t; }) cfg.tunnels;
    systemd.user.services.holdfastd = {
      Unit.Description = "Holdfast keeps SSH tunnels up";
      Service = {
        Type = "dbus";
        BusName = "io.github.holdfast.Holdfast1";
        ExecStart = "${cfg.package}/bin/holdfastd";
        Restart = "on-failure";
        RestartSec = "1s";
      };
      Install.WantedBy = [ "default.target" ];
    };
  };
}
