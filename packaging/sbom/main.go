// Command sbom prints what programs are made of, as an SPDX 2.3 document in JSON: the modules that Go's
// linker noted in them. It goes beside the packages. From the same programs come the same bytes.
package main

import (
	"crypto/sha256"
	"debug/buildinfo"
	"encoding/hex"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"maps"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"
	"time"
)

// The members of SPDX that are used here: https://spdx.github.io/spdx-spec/v2.3/
type document struct {
	Version       string         `json:"spdxVersion"`
	DataLicense   string         `json:"dataLicense"`
	ID            string         `json:"SPDXID"`
	Name          string         `json:"name"`
	Namespace     string         `json:"documentNamespace"`
	Creation      creation       `json:"creationInfo"`
	Packages      []pkg          `json:"packages"`
	Relationships []relationship `json:"relationships"`
}

type creation struct {
	Created  string   `json:"created"`
	Creators []string `json:"creators"`
}

type pkg struct {
	ID               string     `json:"SPDXID"`
	Name             string     `json:"name"`
	Version          string     `json:"versionInfo"`
	Download         string     `json:"downloadLocation"`
	FilesAnalyzed    bool       `json:"filesAnalyzed"`
	LicenseConcluded string     `json:"licenseConcluded"`
	LicenseDeclared  string     `json:"licenseDeclared"`
	Copyright        string     `json:"copyrightText"`
	Checksums        []checksum `json:"checksums,omitempty"`
	Refs             []ref      `json:"externalRefs,omitempty"`
}

type checksum struct {
	Algorithm string `json:"algorithm"`
	Value     string `json:"checksumValue"`
}

type ref struct {
	Category string `json:"referenceCategory"`
	Type     string `json:"referenceType"`
	Locator  string `json:"referenceLocator"`
}

type relationship struct {
	From string `json:"spdxElementId"`
	Type string `json:"relationshipType"`
	To   string `json:"relatedSpdxElement"`
}

func main() {
	name := flag.String("name", "", "the package that the programs are in")
	version := flag.String("version", "", "its version")
	unix := flag.Int64("time", 0, "when it was made, in seconds since 1970")
	flag.Parse()
	log.SetFlags(0)
	text, err := billOf(*name, *version, time.Unix(*unix, 0).UTC(), flag.Args())
	if err != nil {
		log.Fatal("sbom: ", err)
	}
	fmt.Println(string(text))
}

// billOf describes a package of programs, with the modules in them.
func billOf(name, version string, made time.Time, programs []string) ([]byte, error) {
	const root = "SPDXRef-Package"
	doc := document{
		Version: "SPDX-2.3", DataLicense: "CC0-1.0", ID: "SPDXRef-DOCUMENT", Name: name + " " + version,
		Creation:      creation{made.Format(time.RFC3339), []string{"Tool: holdfast-sbom", "Organization: Holdfast"}},
		Packages:      []pkg{newPackage(root, name, version, "Apache-2.0")},
		Relationships: []relationship{{"SPDXRef-DOCUMENT", "DESCRIBES", root}},
	}
	modules := map[string]string{} // path → version
	whole := sha256.New()
	for i, program := range programs {
		sum, err := sumOf(program)
		if err != nil {
			return nil, err
		}
		whole.Write([]byte(sum))
		info, err := buildinfo.ReadFile(program)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", program, err)
		}
		p := newPackage(fmt.Sprintf("SPDXRef-Program-%d", i+1), filepath.Base(program), version, "Apache-2.0")
		p.Checksums = []checksum{{"SHA256", sum}}
		doc.Packages = append(doc.Packages, p)
		doc.Relationships = append(doc.Relationships, relationship{root, "CONTAINS", p.ID})
		note(modules, info)
	}
	for i, path := range slices.Sorted(maps.Keys(modules)) {
		p := newPackage(fmt.Sprintf("SPDXRef-Module-%d", i+1), path, modules[path], "NOASSERTION")
		p.Refs = []ref{{"PACKAGE-MANAGER", "purl", "pkg:golang/" + path + "@" + modules[path]}}
		doc.Packages = append(doc.Packages, p)
		doc.Relationships = append(doc.Relationships, relationship{root, "DEPENDS_ON", p.ID})
	}
	doc.Namespace = fmt.Sprintf("https://github.com/holdfast/holdfast/spdx/%s-%s-%s", name, version, hex.EncodeToString(whole.Sum(nil))[:16])
	return json.MarshalIndent(doc, "", "  ")
}

// note adds the modules of a program, and Go's standard library.
func note(modules map[string]string, info *debug.BuildInfo) {
	modules["stdlib"] = info.GoVersion[len("go"):]
	for _, m := range info.Deps {
		if m.Replace != nil && m.Replace.Version != "" {
			m = m.Replace
		}
		modules[m.Path] = m.Version
	}
}

func newPackage(id, name, version, license string) pkg {
	return pkg{ID: id, Name: name, Version: version, Download: "NOASSERTION", LicenseConcluded: license, LicenseDeclared: license, Copyright: "NOASSERTION"}
}

func sumOf(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:]), nil
}
