// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sort"

	"github.com/Masterminds/semver"
	"github.com/xeipuuv/gojsonschema"
	"sigs.k8s.io/yaml"
)

// chart is a folder's, with the fields of Chart.yaml that this one has: others are refused.
type chart struct {
	APIVersion  string `json:"apiVersion"`
	Name        string `json:"name"`
	Description string `json:"description"`
	Type        string `json:"type"`
	Version     string `json:"version"`
	AppVersion  string `json:"appVersion"`
	KubeVersion string `json:"kubeVersion"`

	folder    string
	templates map[string]string // by the name below templates/
}

type table = map[string]interface{}

func load(folder string) (*chart, error) {
	c := &chart{folder: folder, templates: map[string]string{}}
	text, err := os.ReadFile(filepath.Join(folder, "Chart.yaml"))
	if err != nil {
		return nil, err
	}
	if err := yaml.UnmarshalStrict(text, c); err != nil {
		return nil, fmt.Errorf("Chart.yaml: %v", err)
	}
	if err := c.check(); err != nil {
		return nil, fmt.Errorf("Chart.yaml: %v", err)
	}
	paths, err := filepath.Glob(filepath.Join(folder, "templates", "*"))
	if err != nil {
		return nil, err
	}
	for _, path := range paths {
		if text, err = os.ReadFile(path); err != nil {
			return nil, err
		}
		c.templates[filepath.Base(path)] = string(text)
	}
	return c, nil
}

func (c *chart) check() error {
	if c.APIVersion != "v2" || c.Name == "" || c.Description == "" || c.Type != "application" || c.AppVersion == "" {
		return fmt.Errorf("apiVersion v2, name, description, type application and appVersion are needed")
	}
	if _, err := semver.StrictNewVersion(c.Version); err != nil {
		return fmt.Errorf("version: %v", err)
	}
	if _, err := semver.NewConstraint(c.KubeVersion); err != nil {
		return fmt.Errorf("kubeVersion: %v", err)
	}
	return nil
}

// merge lays each file's values over those before it, the first of which are the chart's, and checks
// what comes of it against the chart's schema, and that against the standard's.
func (c *chart) merge(files []string) (table, error) {
	merged := table{}
	for _, name := range append([]string{filepath.Join(c.folder, "values.yaml")}, files...) {
		values := table{}
		text, err := read(name)
		if err == nil {
			err = yaml.Unmarshal(text, &values)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %v", name, err)
		}
		overlay(merged, values)
	}

	loader := gojsonschema.NewSchemaLoader()
	loader.Validate = true
	text, err := os.ReadFile(filepath.Join(c.folder, "values.schema.json"))
	if err != nil {
		return nil, err
	}
	schema, err := loader.Compile(gojsonschema.NewBytesLoader(text))
	if err != nil {
		return nil, fmt.Errorf("values.schema.json: %v", err)
	}
	result, err := schema.Validate(gojsonschema.NewGoLoader(merged))
	if err != nil {
		return nil, err
	}
	if !result.Valid() {
		said := "values don't meet the specifications of the schema(s) in the following chart(s):\n" + c.Name + ":"
		for _, e := range result.Errors() {
			said += fmt.Sprintf("\n- %s", e)
		}
		return nil, fmt.Errorf("%s", said)
	}
	return merged, nil
}

func read(name string) ([]byte, error) {
	if name == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(name)
}

// overlay puts values into under: maps are merged, null removes what was there.
func overlay(under, values table) {
	for key, value := range values {
		below, ok := under[key].(table)
		above, both := value.(table)
		switch {
		case ok && both:
			overlay(below, above)
		case value == nil:
			delete(under, key)
		default:
			under[key] = value
		}
	}
}

func sorted(texts map[string]string) []string {
	names := make([]string, 0, len(texts))
	for name := range texts {
		names = append(names, name)
	}
	sort.Strings(names)
	return names
}
