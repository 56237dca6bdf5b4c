// SPDX-License-Identifier: Apache-2.0

// same_objects compares the Kubernetes objects of two files by what the API would make of them: neither the
// order of objects, nor that of containers, mounts and other lists whose entries have names, matters.
//
// usage: same_objects A.yaml B.yaml
//
// prints a line for each object or field that only one has, or that differs, `-` with A's value and `+`
// with B's; the exit code is 1 if there is one, and 2 if a file cannot be read.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"sort"

	"sigs.k8s.io/yaml"
)

type object = map[string]interface{}

// fields of an object are its leaves, by path.
type fields map[string]string

// kubectl 1.20 gives these a namespace, too, which means nothing.
var clusterWide = map[interface{}]bool{"CSIDriver": true, "StorageClass": true}

var separator = regexp.MustCompile(`(?m)^---\s*$`)

func main() {
	if len(os.Args) != 3 {
		fail(fmt.Errorf("usage: same_objects A.yaml B.yaml"))
	}
	a, b := read(os.Args[1]), read(os.Args[2])
	same := true
	for _, name := range union(a, b) {
		if difference(name, a[name], b[name]) {
			same = false
		}
	}
	if !same {
		os.Exit(1)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "same_objects:", err)
	os.Exit(2)
}

func read(path string) map[string]fields {
	text, err := os.ReadFile(path)
	if err != nil {
		fail(err)
	}
	objects := map[string]fields{}
	for _, document := range separator.Split(string(text), -1) {
		var o object
		if err := yaml.UnmarshalStrict([]byte(document), &o); err != nil {
			fail(fmt.Errorf("%s: %v:\n%s", path, err, document))
		}
		if o == nil {
			continue
		}
		name := nameOf(o)
		if _, twice := objects[name]; twice {
			fail(fmt.Errorf("%s: %s is there twice", path, name))
		}
		objects[name] = fields{}
		objects[name].add("", o)
	}
	if len(objects) == 0 {
		fail(fmt.Errorf("%s: no objects", path))
	}
	return objects
}

func nameOf(o object) string {
	metadata, _ := o["metadata"].(object)
	if o["apiVersion"] == nil || o["kind"] == nil || metadata["name"] == nil {
		fail(fmt.Errorf("no object: %v", o))
	}
	if clusterWide[o["kind"]] {
		delete(metadata, "namespace")
	}
	name := fmt.Sprintf("%v %v %v", o["apiVersion"], o["kind"], metadata["name"])
	if metadata["namespace"] != nil {
		name += fmt.Sprintf(" in %v", metadata["namespace"])
	}
	return name
}

func (f fields) add(path string, value interface{}) {
	switch v := value.(type) {
	case nil: // is what is not there
	case object:
		for key, inner := range v {
			f.add(path+"."+key, inner)
		}
		if len(v) == 0 {
			f[path] = "{}"
		}
	case []interface{}:
		key := keyOf(v)
		for i, inner := range v {
			at := fmt.Sprint(i)
			if key != "" {
				at = inner.(object)[key].(string)
			}
			f.add(path+"["+at+"]", inner)
		}
		if len(v) == 0 {
			f[path] = "[]"
		}
	default:
		text, err := json.Marshal(v)
		if err != nil {
			fail(err)
		}
		f[path] = string(text)
	}
}

// keyOf names the field by which the entries of a list are told apart, as the API does; "" if their
// order does it.
func keyOf(list []interface{}) string {
	for _, key := range []string{"mountPath", "name"} {
		seen := map[string]bool{}
		for _, entry := range list {
			o, _ := entry.(object)
			if name, ok := o[key].(string); ok {
				seen[name] = true
			}
		}
		if len(seen) == len(list) {
			return key
		}
	}
	return ""
}

func difference(name string, a, b fields) bool {
	if a == nil || b == nil {
		fmt.Printf("%s %s\n", map[bool]string{true: "-", false: "+"}[b == nil], name)
		return true
	}
	found := false
	for _, path := range union(a, b) {
		if a[path] == b[path] {
			continue
		}
		found = true
		for _, side := range []struct{ sign, value string }{{"-", a[path]}, {"+", b[path]}} {
			if side.value != "" {
				fmt.Printf("%s %s %s: %s\n", side.sign, name, path[1:], side.value)
			}
		}
	}
	return found
}

func union[V any](a, b map[string]V) []string {
	names := make([]string, 0, len(a))
	for name := range a {
		names = append(names, name)
	}
	for name := range b {
		if _, both := a[name]; !both {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}
