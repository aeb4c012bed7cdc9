# What the modules make of a configuration: files by their path, and what is wanted by what.
let
  lib = import ./lib.nix;
  tunnel = import ../../../packaging/nix/tunnel.nix { inherit lib; };
  defaults = builtins.mapAttrs (_: option: option.default or null) tunnel.options;
  pkgs = { system = "x86_64-linux"; openssh = "/nix/store/openssh"; };
  self.packages.x86_64-linux.default = "/nix/store/holdfast";
  evaluate = module: services:
    let result = import module self { inherit lib pkgs; config = { inherit services; }; };
    in builtins.seq (builtins.deepSeq (builtins.attrNames result.options.services.holdfast) result) result.config;
  backup = defaults // {
    destination = "ssh://backup@vault.example";
    remoteForwards = [ "2222 localhost:22" ];
    service.User = "holdfast";
  };
  package = self.packages.x86_64-linux.default;
  nixos = evaluate ../../../packaging/nix/nixos.nix { holdfast = { enable = true; inherit package; system = { inherit backup; }; }; };
  home = evaluate ../../../packaging/nix/home-manager.nix { holdfast = { enable = true; inherit package; tunnels = { inherit backup; }; }; };
in
{
  "etc/holdfast/system/backup.tunnel" = nixos.environment.etc."holdfast/system/backup.tunnel".text;
  "config/holdfast/backup.tunnel" = home.xdg.configFile."holdfast/backup.tunnel".text;
  packages = builtins.concatStringsSep " " (nixos.environment.systemPackages ++ nixos.services.dbus.packages ++ nixos.systemd.packages ++ home.home.packages);
  boot = builtins.concatStringsSep " " nixos.systemd.services.holdfastd.wantedBy;
  login = "${home.systemd.user.services.holdfastd.Service.ExecStart} ${toString home.systemd.user.services.holdfastd.Install.WantedBy}";
  account = nixos.users.users.holdfast.group;
}
