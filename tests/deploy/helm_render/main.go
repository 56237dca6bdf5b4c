// SPDX-License-Identifier: Apache-2.0

// helm_render does with a chart, where helm is missing, what helm does before it talks to a cluster. It takes
// helm's arguments, with helm's libraries (text/template, sprig, gojsonschema) under them, and has of helm's
// own functions those that the chart uses: any other is an error.
//
//	helm_render lint     [-f FILE]... CHART
//	helm_render template [-f FILE]... [-n NAMESPACE] NAME CHART
//	helm_render notes    [-f FILE]... [-n NAMESPACE] NAME CHART      what helm install prints at its end
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

type files []string

func (f *files) String() string { return strings.Join(*f, ",") }
func (f *files) Set(name string) error {
	*f = append(*f, name)
	return nil
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(1)
	}
}

func run(args []string) error {
	command := ""
	if len(args) > 0 {
		command = args[0]
	}
	operands, known := map[string]int{"lint": 1, "template": 2, "notes": 2}[command]
	if !known {
		return fmt.Errorf("which of lint, template and notes?")
	}
	var values files
	flags := flag.NewFlagSet(command, flag.ExitOnError)
	flags.Var(&values, "f", "values, in a file or - for the standard input")
	version := flags.String("kube-version", "v1.36.0", "the cluster's version")
	namespace := flags.String("n", "default", "the release's namespace")
	flags.Parse(args[1:])
	if flags.NArg() != operands {
		return fmt.Errorf("%s takes %d arguments", command, operands)
	}

	c, err := load(flags.Arg(operands - 1))
	if err != nil {
		return err
	}
	merged, err := c.merge(values)
	if err != nil {
		return err
	}
	rendered, err := c.render(flags.Arg(0), *namespace, *version, merged)
	if err != nil {
		return err
	}
	switch command {
	case "template":
		c.print(rendered)
	case "notes":
		fmt.Print(rendered["NOTES.txt"])
	}
	return nil
}

func (c *chart) print(rendered map[string]string) {
	for _, name := range sorted(rendered) {
		if filepath.Ext(name) == ".yaml" && strings.TrimSpace(rendered[name]) != "" {
			fmt.Printf("---\n# Source: %s/templates/%s\n%s\n", c.Name, name, rendered[name])
		}
	}
}
