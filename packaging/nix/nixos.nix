# NixOS: the package, the daemons, and tunnels of the machine as /etc/holdfast/system/NAME.tunnel.
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
    system = lib.mkOption {
      type = lib.types.attrsOf (lib.types.submodule { inherit (tunnel) options; });
      default = { };
      description = "Tunnels of the machine. They run as root unless service.User says otherwise; the user holdfast is there for that.";
    };
  };

  config = lib.mkIf cfg.enable {
    environment.systemPackages = [ cfg.package ];
    environment.etc = lib.mapAttrs' (name: t: lib.nameValuePair "holdfast/system/${name}.tunnel" { text = tunnel.render t; }) cfg.system;
    services.dbus.packages = [ cfg.package ];
    systemd.packages = [ cfg.package ];
    users.users.holdfast = { isSystemUser = true; group = "holdfast"; home = "/var/lib/holdfast"; createHome = true; };
    users.groups.holdfast = { };
    systemd.services.holdfastd = lib.mkIf (cfg.system != { }) {
      wantedBy = [ "multi-user.target" ];
      path = [ pkgs.openssh ];
    };
  };
}
