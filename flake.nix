{
  description = "Holdfast keeps SSH tunnels up";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs = { self, nixpkgs }:
    let
      systems = [ "x86_64-linux" "aarch64-linux" ];
      each = f: nixpkgs.lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
    in
    {
      packages = each (pkgs: rec {
        holdfast = pkgs.callPackage ./packaging/nix/package.nix { };
        holdfast-tray = pkgs.callPackage ./packaging/nix/package.nix { withTray = true; };
        default = holdfast;
      });
      nixosModules.default = import ./packaging/nix/nixos.nix self;
      homeManagerModules.default = import ./packaging/nix/home-manager.nix self;
    };
}
