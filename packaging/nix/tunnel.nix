# A tunnel as typed options, and the .tunnel file that they come to. Both modules use it.
{ lib }:
let
  inherit (lib) mkOption types;

  # One word of ours for each key of [Tunnel] that most tunnels have; any other goes into settings.
  forwards = mkOption {
    type = types.listOf types.str;
    default = [ ];
    example = [ "127.0.0.1:5432 db.internal:5432" ];
    description = "As ssh_config(5) or ssh -L, -R, -D spell it.";
  };
  value = types.oneOf [ types.bool types.int types.str ];
  section = description: mkOption {
    type = types.attrsOf (types.either value (types.listOf value));
    default = { };
    inherit description;
  };

  text = v: if lib.isBool v then (if v then "yes" else "no") else toString v;
  line = key: v: "${key}=${text v}";
  # A list is a key that is there several times.
  lines = settings: lib.concatLists (lib.mapAttrsToList (key: v: map (line key) (lib.toList v)) settings);
  sectionText = name: settings:
    lib.optionalString (settings != { }) "\n[${name}]\n${lib.concatStringsSep "\n" (lines settings)}\n";
in
{
  # The module of one tunnel.
  options = {
    destination = mkOption {
      type = types.strMatching "[^\n]+";
      example = "me@gateway.example";
      description = "Where ssh goes: alias, user@host, ssh://user@host:port.";
    };
    description = mkOption { type = types.nullOr types.str; default = null; description = "One line for people."; };
    localForwards = forwards;
    remoteForwards = forwards;
    dynamicForwards = forwards;
    start = mkOption { type = types.enum [ "auto" "on-demand" "manual" ]; default = "auto"; description = "When it comes up."; };
    settings = section "More keys of [Tunnel], see holdfast.tunnel(5).";
    ssh = section "[SSH]: any keyword of ssh_config(5).";
    unit = section "[Unit] of the tunnel's unit.";
    service = section "[Service] of the tunnel's unit.";
  };

  # The text of its file.
  render = t:
    "[Tunnel]\n"
    + lib.concatMapStrings (l: l + "\n") (
      lib.optional (t.description != null) (line "Description" t.description)
      ++ [ (line "Destination" t.destination) ]
      ++ map (line "LocalForward") t.localForwards
      ++ map (line "RemoteForward") t.remoteForwards
      ++ map (line "DynamicForward") t.dynamicForwards
      ++ lib.optional (t.start != "auto") (line "Start" t.start)
      ++ lines t.settings)
    + sectionText "SSH" t.ssh
    + sectionText "Unit" t.unit
    + sectionText "Service" t.service;
}
