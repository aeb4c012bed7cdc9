# A tunnel as somebody's configuration has it, rendered: nix-instantiate --eval.
let
  tunnel = import ../../../packaging/nix/tunnel.nix { lib = import ./lib.nix; };
  defaults = builtins.mapAttrs (_: option: option.default or null) tunnel.options;
in
tunnel.render (defaults // {
  description = "the database";
  destination = "ssh://me@gateway.example";
  localForwards = [ "127.0.0.1:5432 db.internal:5432" "/run/user/1000/docker.sock:/var/run/docker.sock" ];
  dynamicForwards = [ "1080" ];
  start = "on-demand";
  settings = { Connections = 2; Tags = "work"; };
  ssh = { ServerAliveInterval = 10; Compression = false; IdentityFile = [ "~/.ssh/a" "~/.ssh/b" ]; };
  service = { MemoryMax = "64M"; };
})
