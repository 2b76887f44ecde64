// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"

	apps "k8s.io/api/apps/v1"
	core "k8s.io/api/core/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	_ "k8s.io/client-go/applyconfigurations/meta/v1"
	"sigs.k8s.io/yaml"
)

// More kinds are more roots here.
func kubeDomain() *domain {
	return &domain{
		name:  "kube",
		lists: applySchema(),
		roots: []root{
			{"meta_v1", "", meta.Status{}},
			{"core_v1", "", core.Pod{}},
			{"core_v1", "", core.PodList{}},
			{"apps_v1", "", apps.Deployment{}},
			{"apps_v1", "", apps.DeploymentList{}},
		},
	}
}

// "io.k8s.api.core.v1.Pod", as OpenAPI and the apply schema say
func longName(t reflect.Type) string {
	p := t.PkgPath()
	i := strings.Index(p, "/")
	if i < 0 {
		return ""
	}
	host := strings.Split(p[:i], ".")
	for l, r := 0, len(host)-1; l < r; l, r = l+1, r-1 {
		host[l], host[r] = host[r], host[l]
	}
	return strings.Join(host, ".") + strings.ReplaceAll(p[i:], "/", ".") + "." + t.Name()
}

type applyType struct {
	Scalar, NamedType string
	List              *struct {
		ElementRelationship string
		Keys                []string
	}
	Map *struct {
		ElementRelationship string
		Fields              []struct {
			Name string
			Type struct {
				applyType
			}
		}
	}
}

// How lists and maps merge: client-go carries it as YAML inside a Go file that cannot be imported.
func applySchema() map[string]string {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "k8s.io/client-go").Output()
	if err != nil {
		die("go list: %v", err)
	}
	text, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "applyconfigurations/internal/internal.go"))
	if err != nil {
		die("%v", err)
	}
	doc := strings.SplitN(string(text), "`", 3)
	var all struct {
		Types []struct {
			Name string
			applyType
		}
	}
	if err := yaml.Unmarshal([]byte(doc[1]), &all); err != nil {
		die("apply schema: %v", err)
	}
	facts := map[string]string{}
	for _, t := range all.Types {
		if t.Map == nil {
			continue
		}
		if t.Map.ElementRelationship == "atomic" {
			facts[t.Name] = "atomic"
		}
		for _, f := range t.Map.Fields {
			if a := listAttr(f.Type.applyType); a != "" {
				facts[t.Name+"."+f.Name] = a
			}
		}
	}
	return facts
}

func listAttr(t applyType) string {
	switch {
	case t.List != nil && t.List.ElementRelationship == "associative" && len(t.List.Keys) > 0:
		return "list=map keys=" + strings.Join(t.List.Keys, ",")
	case t.List != nil && t.List.ElementRelationship == "associative":
		return "list=set"
	case t.List != nil:
		return "list=atomic"
	case t.Map != nil && t.Map.ElementRelationship == "atomic":
		return "list=atomic"
	}
	return ""
}
