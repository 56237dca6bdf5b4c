// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/Masterminds/sprig"
	"sigs.k8s.io/yaml"
)

// chartFiles is what templates know as .Files. Where helm has an empty text for a file that is not there,
// this has an error.
type chartFiles string

func (folder chartFiles) Get(name string) (string, error) {
	text, err := os.ReadFile(filepath.Join(string(folder), name))
	return string(text), err
}

// render returns the text of each template that is no collection of named ones. A value that is not
// there is an error, where helm would go on with none.
func (c *chart) render(name, namespace, version string, values table) (map[string]string, error) {
	all := template.New("").Option("missingkey=error")
	all.Funcs(functions(all))
	for _, name := range sorted(c.templates) {
		if _, err := all.New(name).Parse(c.templates[name]); err != nil {
			return nil, err
		}
	}
	top := table{
		"Capabilities": table{"KubeVersion": table{"Version": version}},
		"Chart":        c,
		"Files":        chartFiles(c.folder),
		"Release":      table{"Name": name, "Namespace": namespace, "Service": "Helm"},
		"Values":       values,
	}
	rendered := map[string]string{}
	for name := range c.templates {
		if strings.HasPrefix(name, "_") {
			continue
		}
		var text strings.Builder
		if err := all.ExecuteTemplate(&text, name, top); err != nil {
			return nil, err
		}
		rendered[name] = text.String()
	}
	return rendered, nil
}

func functions(all *template.Template) template.FuncMap {
	known := sprig.TxtFuncMap()
	delete(known, "env")
	delete(known, "expandenv")
	known["include"] = func(name string, data interface{}) (string, error) {
		var text strings.Builder
		err := all.ExecuteTemplate(&text, name, data)
		return text.String(), err
	}
	known["toYaml"] = func(value interface{}) (string, error) {
		text, err := yaml.Marshal(value)
		return strings.TrimSuffix(string(text), "\n"), err
	}
	known["required"] = func(warning string, value interface{}) (interface{}, error) {
		if value == nil || value == "" {
			return nil, fmt.Errorf("%s", warning)
		}
		return value, nil
	}
	return known
}
