package cli

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/holdfast/holdfast/cli/history"
	"github.com/holdfast/holdfast/cli/jsonout"
	"github.com/holdfast/holdfast/cli/top"
)

// shapes are what --json prints, by the name of their schema in docs/json.
var shapes = map[string]any{
	"tunnels": []jsonout.Tunnel{}, // list, add, set, edit, up, down, restart, reconnect, enable, disable, rename, clone, remove
	"status":  jsonout.Status{},
	"show":    []jsonout.Shown{},
	"changes": []jsonout.Change{}, // show --changes
	"check":   jsonout.Check{},
	"import":  jsonout.Import{},
	"export":  jsonout.Export{},
	"history": history.Report{}.JSON(),
	"top":     []top.Row{},
	"version": jsonout.Version{},
	"waybar":  waybar{}, // status --waybar
}

// TestSchemas: docs/json says what --json prints. Members are added, never renamed or removed.
func TestSchemas(t *testing.T) {
	for name, shape := range shapes {
		schema := schemaOf(reflect.TypeOf(shape))
		schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
		schema["title"] = "holdfast --json: " + name
		text, err := json.MarshalIndent(schema, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("../docs/json", name+".schema.json")
		old, err := os.ReadFile(file)
		if string(old) == string(text)+"\n" {
			continue
		}
		var before map[string]any
		if err == nil && json.Unmarshal(old, &before) == nil {
			lost(t, name, before, toAny(t, text))
		}
		if *update {
			if err := os.WriteFile(file, append(text, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
			continue
		}
		t.Errorf("%s is not what --json prints: go test ./cli -run Schemas -update", file)
	}
}

func toAny(t *testing.T, text []byte) (v map[string]any) {
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}

// lost tells of members that a schema had and has no more, or with another type.
func lost(t *testing.T, path string, before, now map[string]any) {
	if !reflect.DeepEqual(before["type"], now["type"]) {
		t.Errorf("%s was %v, and is %v: it is a contract", path, before["type"], now["type"])
	}
	for _, key := range []string{"properties", "items"} {
		was, _ := before[key].(map[string]any)
		is, _ := now[key].(map[string]any)
		if key == "items" && was != nil && is != nil {
			lost(t, path+"[]", was, is)
			continue
		}
		for name, member := range was {
			if is[name] == nil {
				t.Errorf("%s.%s is gone: it is a contract", path, name)
				continue
			}
			lost(t, path+"."+name, member.(map[string]any), is[name].(map[string]any))
		}
	}
}

// schemaOf is the JSON Schema of a type of json.go.
func schemaOf(of reflect.Type) map[string]any {
	switch {
	case of == reflect.TypeFor[time.Time]():
		return map[string]any{"type": "string", "format": "date-time"}
	case of.Kind() == reflect.Pointer:
		schema := schemaOf(of.Elem())
		schema["type"] = []any{schema["type"], "null"}
		return schema
	}
	switch of.Kind() {
	case reflect.String:
		return map[string]any{"type": "string"}
	case reflect.Bool:
		return map[string]any{"type": "boolean"}
	case reflect.Float64:
		return map[string]any{"type": "number"}
	case reflect.Slice:
		return map[string]any{"type": "array", "items": schemaOf(of.Elem())}
	case reflect.Struct:
		members, required := map[string]any{}, []any{}
		for i := range of.NumField() {
			name, options, _ := strings.Cut(of.Field(i).Tag.Get("json"), ",")
			if name == "" {
				continue
			}
			members[name] = schemaOf(of.Field(i).Type)
			if !strings.Contains(options, "omit") {
				required = append(required, name)
			}
		}
		return map[string]any{"type": "object", "properties": members, "required": required}
	}
	return map[string]any{"type": "integer"}
}
