// SPDX-License-Identifier: Apache-2.0

// What Kubernetes' own code does with objects: defaults, what a create or update
// makes of them, what it refuses, and the row of kubectl get. Reads cases (YAML
// documents {case, object, old}) and writes one JSON line each.
// usage: oracle FILE... >cases.jsonl
package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"regexp"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	utilyaml "k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/apiserver/pkg/endpoints/request"
	"k8s.io/apiserver/pkg/registry/rest"
	"k8s.io/kubernetes/pkg/api/legacyscheme"
	_ "k8s.io/kubernetes/pkg/apis/apps/install"
	_ "k8s.io/kubernetes/pkg/apis/autoscaling/install"
	_ "k8s.io/kubernetes/pkg/apis/batch/install"
	_ "k8s.io/kubernetes/pkg/apis/coordination/install"
	_ "k8s.io/kubernetes/pkg/apis/core/install"
	_ "k8s.io/kubernetes/pkg/apis/discovery/install"
	_ "k8s.io/kubernetes/pkg/apis/networking/install"
	_ "k8s.io/kubernetes/pkg/apis/node/install"
	_ "k8s.io/kubernetes/pkg/apis/policy/install"
	_ "k8s.io/kubernetes/pkg/apis/rbac/install"
	_ "k8s.io/kubernetes/pkg/apis/scheduling/install"
	_ "k8s.io/kubernetes/pkg/apis/storage/install"
	"k8s.io/kubernetes/pkg/capabilities"
	"k8s.io/kubernetes/pkg/printers"
	printersinternal "k8s.io/kubernetes/pkg/printers/internalversion"
	"k8s.io/kubernetes/pkg/registry/apps/controllerrevision"
	"k8s.io/kubernetes/pkg/registry/apps/daemonset"
	"k8s.io/kubernetes/pkg/registry/apps/deployment"
	"k8s.io/kubernetes/pkg/registry/apps/replicaset"
	"k8s.io/kubernetes/pkg/registry/apps/statefulset"
	"k8s.io/kubernetes/pkg/registry/autoscaling/horizontalpodautoscaler"
	"k8s.io/kubernetes/pkg/registry/batch/cronjob"
	"k8s.io/kubernetes/pkg/registry/batch/job"
	"k8s.io/kubernetes/pkg/registry/coordination/lease"
	"k8s.io/kubernetes/pkg/registry/core/configmap"
	"k8s.io/kubernetes/pkg/registry/core/endpoint"
	"k8s.io/kubernetes/pkg/registry/core/limitrange"
	"k8s.io/kubernetes/pkg/registry/core/namespace"
	"k8s.io/kubernetes/pkg/registry/core/node"
	"k8s.io/kubernetes/pkg/registry/core/persistentvolume"
	"k8s.io/kubernetes/pkg/registry/core/persistentvolumeclaim"
	"k8s.io/kubernetes/pkg/registry/core/pod"
	"k8s.io/kubernetes/pkg/registry/core/podtemplate"
	"k8s.io/kubernetes/pkg/registry/core/replicationcontroller"
	"k8s.io/kubernetes/pkg/registry/core/resourcequota"
	"k8s.io/kubernetes/pkg/registry/core/secret"
	"k8s.io/kubernetes/pkg/registry/core/service"
	"k8s.io/kubernetes/pkg/registry/core/serviceaccount"
	"k8s.io/kubernetes/pkg/registry/discovery/endpointslice"
	"k8s.io/kubernetes/pkg/registry/networking/ingress"
	"k8s.io/kubernetes/pkg/registry/networking/ingressclass"
	"k8s.io/kubernetes/pkg/registry/node/runtimeclass"
	"k8s.io/kubernetes/pkg/registry/policy/poddisruptionbudget"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrole"
	"k8s.io/kubernetes/pkg/registry/rbac/clusterrolebinding"
	"k8s.io/kubernetes/pkg/registry/rbac/role"
	"k8s.io/kubernetes/pkg/registry/rbac/rolebinding"
	"k8s.io/kubernetes/pkg/registry/scheduling/priorityclass"
	"k8s.io/kubernetes/pkg/registry/storage/storageclass"
	"sigs.k8s.io/yaml"
)

type strategy interface {
	rest.RESTCreateStrategy
	rest.RESTUpdateStrategy
}

var strategies = map[string]strategy{
	"Pod": pod.Strategy, "PodTemplate": podtemplate.Strategy, "ReplicationController": replicationcontroller.Strategy,
	"Service": service.Strategy, "Endpoints": endpoint.Strategy, "Secret": secret.Strategy, "ConfigMap": configmap.Strategy,
	"Namespace": namespace.Strategy, "Node": node.Strategy, "ServiceAccount": serviceaccount.Strategy,
	"PersistentVolume": persistentvolume.Strategy, "PersistentVolumeClaim": persistentvolumeclaim.Strategy,
	"ResourceQuota": resourcequota.Strategy, "LimitRange": limitrange.Strategy, "Deployment": deployment.Strategy,
	"ReplicaSet": replicaset.Strategy, "StatefulSet": statefulset.Strategy, "DaemonSet": daemonset.Strategy,
	"ControllerRevision": controllerrevision.Strategy, "Job": job.Strategy, "CronJob": cronjob.Strategy,
	"EndpointSlice": endpointslice.Strategy, "Ingress": ingress.Strategy, "IngressClass": ingressclass.Strategy,
	"RuntimeClass": runtimeclass.Strategy, "PodDisruptionBudget": poddisruptionbudget.Strategy, "Role": role.Strategy,
	"RoleBinding": rolebinding.Strategy, "ClusterRole": clusterrole.Strategy, "ClusterRoleBinding": clusterrolebinding.Strategy,
	"PriorityClass": priorityclass.Strategy, "StorageClass": storageclass.Strategy, "Lease": lease.Strategy,
	"HorizontalPodAutoscaler": horizontalpodautoscaler.Strategy,
}

type problem struct {
	Type    string `json:"type"`
	Field   string `json:"field"`
	Message string `json:"message"`
}

type result struct {
	Case     string                         `json:"case"`
	Kind     string                         `json:"kind"`
	Version  string                         `json:"version"`
	Input    json.RawMessage                `json:"input"`
	Old      json.RawMessage                `json:"old,omitempty"`
	Error    string                         `json:"error,omitempty"`
	Problems []problem                      `json:"problems,omitempty"`
	Made     json.RawMessage                `json:"made,omitempty"`
	Columns  []metav1.TableColumnDefinition `json:"columns,omitempty"`
	Cells    []interface{}                  `json:"cells,omitempty"`
	Now      int64                          `json:"now"` // seconds, when the cells were made: ages are up to it
}

// fixed times and identifiers, so that the documents are the same each time
var times = regexp.MustCompile(`[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z`)
var created = metav1.NewTime(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))

// steady puts the fixed time where the code took the time of the clock.
func steady(text []byte) []byte {
	return times.ReplaceAllFunc(text, func(s []byte) []byte {
		t, err := time.Parse(time.RFC3339, string(s))
		if err != nil || time.Since(t) > time.Hour || time.Since(t) < -time.Hour {
			return s
		}
		return []byte(created.UTC().Format(time.RFC3339))
	})
}

func decode(raw []byte) (runtime.Object, error) {
	return runtime.Decode(legacyscheme.Codecs.UniversalDecoder(), raw)
}

func run(ctx context.Context, r *result, table printers.TableGenerator) error {
	var t metav1.TypeMeta
	if err := json.Unmarshal(r.Input, &t); err != nil {
		return err
	}
	r.Kind, r.Version = t.Kind, t.APIVersion
	s, ok := strategies[t.Kind]
	if !ok {
		return fmt.Errorf("no strategy for %s", t.Kind)
	}
	obj, err := decode(r.Input)
	if err != nil {
		r.Error = err.Error()
		return nil
	}
	m, _ := meta.Accessor(obj)
	if s.NamespaceScoped() && m.GetNamespace() == "" {
		m.SetNamespace("ns")
	}
	ctx = request.WithNamespace(ctx, m.GetNamespace())
	as, err := runtimeVersion(t.APIVersion)
	if err != nil {
		return err
	}
	ctx = request.WithRequestInfo(ctx, &request.RequestInfo{IsResourceRequest: true, APIGroup: as.Group, APIVersion: as.Version})
	fix := func(m metav1.Object) {
		m.SetUID(types.UID("u-1"))
		m.SetCreationTimestamp(created)
	}
	var failure error
	if r.Old == nil {
		rest.FillObjectMetaSystemFields(m)
		fix(m)
		failure = rest.BeforeCreate(s, ctx, obj)
	} else {
		old, err := decode(r.Old)
		if err != nil {
			return err
		}
		o, _ := meta.Accessor(old)
		if s.NamespaceScoped() && o.GetNamespace() == "" {
			o.SetNamespace("ns")
		}
		fix(o)
		if err := rest.BeforeCreate(s, ctx, old); err != nil {
			return fmt.Errorf("the old object is not valid: %w", err)
		}
		o.SetResourceVersion("1")
		m.SetResourceVersion("1")
		fix(m)
		failure = rest.BeforeUpdate(s, ctx, obj, old)
	}
	if failure != nil {
		if status, ok := failure.(apierrors.APIStatus); ok {
			r.Error = status.Status().Message
			if d := status.Status().Details; d != nil {
				for _, c := range d.Causes {
					r.Problems = append(r.Problems, problem{string(c.Type), c.Field, c.Message})
				}
			}
			return nil
		}
		r.Error = failure.Error()
		return nil
	}
	made, err := runtime.Encode(legacyscheme.Codecs.LegacyCodec(as), obj)
	if err != nil {
		return err
	}
	// what a client gets went through the store, whose decoding fills defaults again
	if obj, err = decode(made); err != nil {
		return err
	}
	if made, err = runtime.Encode(legacyscheme.Codecs.LegacyCodec(as), obj); err != nil {
		return err
	}
	r.Made = steady(bytes.TrimSpace(made))
	r.Now = time.Now().Unix()
	tab, err := table.GenerateTable(obj, printers.GenerateOptions{Wide: true})
	if err != nil {
		return nil // no handler: the default columns
	}
	for _, c := range tab.ColumnDefinitions {
		c.Description = ""
		r.Columns = append(r.Columns, c)
	}
	r.Cells = tab.Rows[0].Cells
	return nil
}

func main() {
	capabilities.Setup(true, 0)
	table := printers.NewTableGenerator().With(printersinternal.AddHandlers)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	enc := json.NewEncoder(out)
	enc.SetEscapeHTML(false)
	ctx := request.NewContext()
	for _, name := range os.Args[1:] {
		f, err := os.ReadFile(name)
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		docs := utilyaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(f)))
		for {
			doc, err := docs.Read()
			if err == io.EOF {
				break
			}
			var in struct {
				Case        string `json:"case"`
				Object, Old json.RawMessage
			}
			if err == nil {
				err = yaml.Unmarshal(doc, &in)
			}
			if err != nil {
				fmt.Fprintln(os.Stderr, name, err)
				os.Exit(1)
			}
			if in.Object == nil {
				continue
			}
			r := result{Case: in.Case, Input: in.Object, Old: in.Old}
			if err := run(ctx, &r, table); err != nil {
				fmt.Fprintln(os.Stderr, in.Case+":", err)
				os.Exit(1)
			}
			if err := enc.Encode(r); err != nil {
				fmt.Fprintln(os.Stderr, in.Case+":", err)
				os.Exit(1)
			}
		}
	}
}
