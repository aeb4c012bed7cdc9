// Command manifests decodes files into the types of the programs that read them. It is strict: a
// member that a type does not have is an error. It is a module of its own, so that Holdfast does
// not depend on these types.
//
//	manifests kubernetes FILE…   manifests, as kustomize renders them
//	manifests rules RULES FILE   the same alert rules for Prometheus and, in FILE, for its operator
//	manifests spdx FILE…         bills of materials
package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"reflect"

	monitoring "github.com/prometheus-operator/prometheus-operator/pkg/apis/monitoring/v1"
	"github.com/spdx/tools-golang/json"
	"github.com/spdx/tools-golang/spdxlib"
	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	networking "k8s.io/api/networking/v1"
	policy "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/serializer"
	"k8s.io/apimachinery/pkg/util/yaml"
	strict "sigs.k8s.io/yaml"
)

func main() {
	log.SetFlags(0)
	verbs := map[string]func(string) error{"kubernetes": kubernetes, "spdx": spdx}
	if len(os.Args) == 4 && os.Args[1] == "rules" {
		if err := rules(os.Args[2], os.Args[3]); err != nil {
			log.Fatal(err)
		}
		return
	}
	if len(os.Args) < 3 || verbs[os.Args[1]] == nil {
		log.Fatal("usage: manifests kubernetes|spdx FILE… | rules RULES FILE")
	}
	for _, file := range os.Args[2:] {
		if err := verbs[os.Args[1]](file); err != nil {
			log.Fatalf("%s: %v", file, err)
		}
	}
}

// kubernetes decodes each document of a file, strictly, and prints what it is.
func kubernetes(file string) error {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{apps.AddToScheme, core.AddToScheme, networking.AddToScheme, policy.AddToScheme, monitoring.AddToScheme} {
		if err := add(scheme); err != nil {
			return err
		}
	}
	decoder := serializer.NewCodecFactory(scheme, serializer.EnableStrict).UniversalDeserializer()
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(content)))
	for {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		object, kind, err := decoder.Decode(document, nil, nil)
		if err != nil {
			return err
		}
		fmt.Println(kind.Kind, name(object))
	}
}

func name(object runtime.Object) string {
	if named, ok := object.(interface{ GetName() string }); ok {
		return named.GetName()
	}
	return ""
}

// rules compares the groups of Prometheus' file with those of the operator's object.
func rules(plain, wrapped string) error {
	var groups monitoring.PrometheusRuleSpec
	var object monitoring.PrometheusRule
	for file, into := range map[string]any{plain: &groups, wrapped: &object} {
		content, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := strict.UnmarshalStrict(content, into); err != nil {
			return fmt.Errorf("%s: %w", file, err)
		}
	}
	if !reflect.DeepEqual(groups, object.Spec) {
		return fmt.Errorf("%s and %s are not the same rules", plain, wrapped)
	}
	return nil
}

// spdx reads a bill of materials and checks that it is whole.
func spdx(file string) error {
	content, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	document, err := json.Read(bytes.NewReader(content))
	if err != nil {
		return err
	}
	if err := spdxlib.ValidateDocument(document); err != nil {
		return err
	}
	fmt.Println(document.DocumentName, len(document.Packages), "packages")
	return nil
}
