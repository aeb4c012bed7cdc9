# As much of nixpkgs' lib as packaging/nix uses; types are taken as they come.
let
  any = _: any;
  type = { __functor = _: _: type; };
in
rec {
  inherit (builtins) isBool concatLists concatStringsSep;
  toList = v: if builtins.isList v then v else [ v ];
  optional = c: v: if c then [ v ] else [ ];
  optionalString = c: v: if c then v else "";
  concatMapStrings = f: l: concatStringsSep "" (map f l);
  mapAttrsToList = f: set: map (name: f name set.${name}) (builtins.attrNames set);
  mapAttrs' = f: set: builtins.listToAttrs (mapAttrsToList f set);
  nameValuePair = name: value: { inherit name value; };
  mkIf = c: v: if c then v else { };
  mkOption = option: option;
  mkEnableOption = description: { inherit description; default = false; };
  types = {
    listOf = any; attrsOf = any; either = any; oneOf = any; nullOr = any; enum = any; strMatching = any; submodule = any;
    package = type; str = type; bool = type; int = type;
  };
}
