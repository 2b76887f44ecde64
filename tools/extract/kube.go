// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"

	admission "k8s.io/api/admission/v1"
	apidiscovery "k8s.io/api/apidiscovery/v2"
	apps "k8s.io/api/apps/v1"
	authentication "k8s.io/api/authentication/v1"
	authorization "k8s.io/api/authorization/v1"
	autoscaling1 "k8s.io/api/autoscaling/v1"
	autoscaling2 "k8s.io/api/autoscaling/v2"
	batch "k8s.io/api/batch/v1"
	certificates "k8s.io/api/certificates/v1"
	coordination "k8s.io/api/coordination/v1"
	core "k8s.io/api/core/v1"
	discovery "k8s.io/api/discovery/v1"
	events "k8s.io/api/events/v1"
	networking "k8s.io/api/networking/v1"
	node "k8s.io/api/node/v1"
	policy "k8s.io/api/policy/v1"
	rbac "k8s.io/api/rbac/v1"
	scheduling "k8s.io/api/scheduling/v1"
	storage "k8s.io/api/storage/v1"
	apiext "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	meta "k8s.io/apimachinery/pkg/apis/meta/v1"
	version "k8s.io/apimachinery/pkg/version"
	_ "k8s.io/client-go/applyconfigurations/meta/v1"
	clientcmd "k8s.io/client-go/tools/clientcmd/api/v1"
	"sigs.k8s.io/yaml"
)

// More kinds are more roots here.
func kubeDomain() *domain {
	return &domain{
		name:  "kube",
		lists: applySchema(),
		cut: map[string]string{
			// a value, or one of two forms: their Go types write themselves
			"v1.JSON": "json", "v1.JSONSchemaPropsOrBool": "json", "v1.JSONSchemaPropsOrArray": "json",
			"v1.JSONSchemaPropsOrStringArray": "json", "runtime.RawExtension": "rawextension",
			"runtime.Object": "json",
		},
		roots: []root{
			{"", "", core.Pod{}},
			{"", "", core.PodList{}},
			{"", "", core.PodTemplate{}},
			{"", "", core.PodTemplateList{}},
			{"", "", core.ReplicationController{}},
			{"", "", core.ReplicationControllerList{}},
			{"", "", core.Service{}},
			{"", "", core.ServiceList{}},
			{"", "", core.Endpoints{}},
			{"", "", core.EndpointsList{}},
			{"", "", core.Secret{}},
			{"", "", core.SecretList{}},
			{"", "", core.ConfigMap{}},
			{"", "", core.ConfigMapList{}},
			{"", "", core.Namespace{}},
			{"", "", core.NamespaceList{}},
			{"", "", core.Node{}},
			{"", "", core.NodeList{}},
			{"", "", core.Event{}},
			{"", "", core.EventList{}},
			{"", "", core.ServiceAccount{}},
			{"", "", core.ServiceAccountList{}},
			{"", "", core.PersistentVolume{}},
			{"", "", core.PersistentVolumeList{}},
			{"", "", core.PersistentVolumeClaim{}},
			{"", "", core.PersistentVolumeClaimList{}},
			{"", "", core.ResourceQuota{}},
			{"", "", core.ResourceQuotaList{}},
			{"", "", core.LimitRange{}},
			{"", "", core.LimitRangeList{}},
			{"", "", core.ComponentStatus{}},
			{"", "", core.ComponentStatusList{}},
			{"", "", core.Binding{}},
			{"", "", core.PodLogOptions{}},
			{"", "", core.PodExecOptions{}},
			{"", "", core.PodAttachOptions{}},
			{"", "", core.PodPortForwardOptions{}},
			{"", "", core.PodProxyOptions{}},
			{"", "", core.ServiceProxyOptions{}},
			{"", "", core.NodeProxyOptions{}},
			{"", "", core.SerializedReference{}},
			{"", "", core.RangeAllocation{}},
			{"", "", apps.Deployment{}},
			{"", "", apps.DeploymentList{}},
			{"", "", apps.ReplicaSet{}},
			{"", "", apps.ReplicaSetList{}},
			{"", "", apps.StatefulSet{}},
			{"", "", apps.StatefulSetList{}},
			{"", "", apps.DaemonSet{}},
			{"", "", apps.DaemonSetList{}},
			{"", "", apps.ControllerRevision{}},
			{"", "", apps.ControllerRevisionList{}},
			{"", "", batch.Job{}},
			{"", "", batch.JobList{}},
			{"", "", batch.CronJob{}},
			{"", "", batch.CronJobList{}},
			{"", "", events.Event{}},
			{"", "", events.EventList{}},
			{"", "", discovery.EndpointSlice{}},
			{"", "", discovery.EndpointSliceList{}},
			{"", "", networking.Ingress{}},
			{"", "", networking.IngressList{}},
			{"", "", networking.IngressClass{}},
			{"", "", networking.IngressClassList{}},
			{"", "", storage.StorageClass{}},
			{"", "", storage.StorageClassList{}},
			{"", "", coordination.Lease{}},
			{"", "", coordination.LeaseList{}},
			{"", "", rbac.Role{}},
			{"", "", rbac.RoleList{}},
			{"", "", rbac.RoleBinding{}},
			{"", "", rbac.RoleBindingList{}},
			{"", "", rbac.ClusterRole{}},
			{"", "", rbac.ClusterRoleList{}},
			{"", "", rbac.ClusterRoleBinding{}},
			{"", "", rbac.ClusterRoleBindingList{}},
			{"", "", authorization.SubjectAccessReview{}},
			{"", "", authorization.SelfSubjectAccessReview{}},
			{"", "", authorization.LocalSubjectAccessReview{}},
			{"", "", authorization.SelfSubjectRulesReview{}},
			{"", "", authentication.TokenReview{}},
			{"", "", authentication.TokenRequest{}},
			{"", "", authentication.SelfSubjectReview{}},
			{"", "", scheduling.PriorityClass{}},
			{"", "", scheduling.PriorityClassList{}},
			{"", "", policy.PodDisruptionBudget{}},
			{"", "", policy.PodDisruptionBudgetList{}},
			{"", "", policy.Eviction{}},
			{"", "", autoscaling1.Scale{}},
			{"", "", autoscaling2.HorizontalPodAutoscaler{}},
			{"", "", autoscaling2.HorizontalPodAutoscalerList{}},
			{"", "", autoscaling1.HorizontalPodAutoscaler{}},
			{"", "", autoscaling1.HorizontalPodAutoscalerList{}},
			{"", "", certificates.CertificateSigningRequest{}},
			{"", "", certificates.CertificateSigningRequestList{}},
			{"", "", node.RuntimeClass{}},
			{"", "", node.RuntimeClassList{}},
			{"", "", meta.Status{}},
			{"", "", meta.APIGroup{}},
			{"", "", meta.APIGroupList{}},
			{"", "", meta.APIResourceList{}},
			{"", "", meta.APIVersions{}},
			{"", "", meta.DeleteOptions{}},
			{"", "", meta.ListOptions{}},
			{"", "", meta.GetOptions{}},
			{"", "", meta.CreateOptions{}},
			{"", "", meta.UpdateOptions{}},
			{"", "", meta.PatchOptions{}},
			{"", "", meta.Table{}},
			{"", "", meta.PartialObjectMetadata{}},
			{"", "", meta.PartialObjectMetadataList{}},
			{"", "", meta.WatchEvent{}},
			{"", "", meta.LabelSelector{}},
			{"", "", apiext.CustomResourceDefinition{}},
			{"", "", apiext.CustomResourceDefinitionList{}},
			{"", "", apidiscovery.APIGroupDiscoveryList{}},
			{"", "", version.Info{}},
			{"", "", clientcmd.Config{}},
			{"", "", admission.AdmissionReview{}},
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
