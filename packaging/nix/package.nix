# The package. vendorHash belongs to go.sum: when that changes, nix says the new one.
{ lib, buildGoModule, makeWrapper, openssh, pkg-config, gtk3, libayatana-appindicator, withTray ? false }:
buildGoModule {
  pname = if withTray then "holdfast-tray" else "holdfast";
  version = "0.9.0";
  src = lib.cleanSource ../..;
  vendorHash = lib.fakeHash;
  subPackages = [ "cmd/holdfast" "cmd/holdfastd" "cmd/holdfast-tunnel" ] ++ lib.optional withTray "cmd/holdfast-tray";
  env.CGO_ENABLED = if withTray then "1" else "0";
  ldflags = [ "-s" "-w" "-X github.com/holdfast/holdfast/internal/program.version=0.9.0" ];
  nativeBuildInputs = [ makeWrapper ] ++ lib.optional withTray pkg-config;
  buildInputs = lib.optionals withTray [ gtk3 libayatana-appindicator ];
  # The tests want a machine of their own.
  doCheck = false;
  # packaging/install puts the rest where it belongs; the programs are where Go has put them.
  postInstall = ''
    BIN=$out/bin PARTS="base system${lib.optionalString withTray " tray"}" bash packaging/install $out "" || exit 1
    for program in $out/bin/*; do wrapProgram $program --suffix PATH : ${lib.makeBinPath [ openssh ]}; done
  '';
  meta = {
    description = "SSH tunnels that stay up, as systemd units";
    homepage = "https://github.com/holdfast/holdfast";
    license = lib.licenses.asl20;
    platforms = lib.platforms.linux;
    mainProgram = "holdfast";
  };
}
