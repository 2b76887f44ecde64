# SPDX-License-Identifier: Apache-2.0
"""Command lines that the real kubectl and ours are both given, in this order.

Each client has a namespace (the default of its kubeconfig), a folder {d} of manifests, and a letter {n} for objects
without a namespace. A row is a line, or a tuple (line, how) with how a dict: stdin, differs (a reason: the difference is
known and stands in doc/kubectl.md), shape (only the exit code and which stream spoke are compared), env, stdout (only
standard output and the exit code are compared).
"""
POD = """apiVersion: v1
kind: Pod
metadata: {name: box, labels: {app: box}, annotations: {note: hello}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: main
    image: busybox
    imagePullPolicy: IfNotPresent
    command: ["sh", "-c", "echo one; echo two; echo err >&2; cat /etc/hostname > /tmp/h; while :; do sleep 1; done"]
    ports: [{containerPort: 80, name: http}]
    env: [{name: A, value: b}, {name: NODE, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}]
    resources: {requests: {cpu: 10m, memory: 8Mi}, limits: {memory: 64Mi}}
  - name: side
    image: busybox
    imagePullPolicy: IfNotPresent
    command: ["sh", "-c", "echo side; while :; do sleep 1; done"]
"""
FILES = {
    "pod.yaml": POD,
    "cm.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied, labels: {a: b}}\ndata: {key: value, other: thing}\n",
    "cm2.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: applied, labels: {a: b}}\ndata: {key: changed}\n",
    "two.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: two}\ndata: {a: b}\n",
    "bad.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndatum: {a: b}\n",
    "broken.yaml": "apiVersion: v1\nkind: [\n",
    "nokind.yaml": "apiVersion: v1\nmetadata: {name: x}\n",
    "unknown.yaml": "apiVersion: example.org/v1\nkind: Thing\nmetadata: {name: x}\n",
    "deploy.yaml": """apiVersion: apps/v1
kind: Deployment
metadata: {name: filed, labels: {app: filed}}
spec:
  replicas: 0
  selector: {matchLabels: {app: filed}}
  template:
    metadata: {labels: {app: filed}}
    spec: {containers: [{name: c, image: busybox, imagePullPolicy: IfNotPresent}]}
""",
    "more.yaml": """apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: PersistentVolumeClaim
  metadata: {name: claim}
  spec: {accessModes: [ReadWriteOnce], storageClassName: none, resources: {requests: {storage: 1Gi}}}
- apiVersion: v1
  kind: LimitRange
  metadata: {name: bounds}
  spec: {limits: [{type: PersistentVolumeClaim, max: {storage: 100Gi}, min: {storage: 1Mi}}]}
- apiVersion: v1
  kind: ResourceQuota
  metadata: {name: share}
  spec: {hard: {configmaps: "100", secrets: "50"}}
- apiVersion: networking.k8s.io/v1
  kind: Ingress
  metadata: {name: gate}
  spec:
    ingressClassName: none
    tls: [{hosts: [a.example], secretName: certs}]
    defaultBackend: {service: {name: back, port: {number: 80}}}
    rules: [{host: a.example, http: {paths: [{path: /x, pathType: Prefix, backend: {service: {name: web, port: {number: 80}}}}, {path: /y, pathType: Exact, backend: {service: {name: web, port: {name: http}}}}]}}]
- apiVersion: autoscaling/v2
  kind: HorizontalPodAutoscaler
  metadata: {name: grow}
  spec: {scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: none}, minReplicas: 1, maxReplicas: 3, metrics: [{type: Resource, resource: {name: cpu, target: {type: Utilization, averageUtilization: 50}}}]}
- apiVersion: policy/v1
  kind: PodDisruptionBudget
  metadata: {name: budget}
  spec: {minAvailable: 1, selector: {matchLabels: {app: none}}}
- apiVersion: v1
  kind: Endpoints
  metadata: {name: ends}
  subsets: [{addresses: [{ip: 192.0.2.1}, {ip: 192.0.2.2}], ports: [{name: http, port: 80}]}]
- apiVersion: v1
  kind: Service
  metadata: {name: web}
  spec: {selector: {app: none}, ports: [{name: http, port: 80, targetPort: 8080}]}
- apiVersion: discovery.k8s.io/v1
  kind: EndpointSlice
  metadata: {name: slice, labels: {kubernetes.io/service-name: other}}
  addressType: IPv4
  endpoints: [{addresses: [192.0.2.7], conditions: {ready: true}}]
  ports: [{name: http, port: 80, protocol: TCP}]
- apiVersion: networking.k8s.io/v1
  kind: NetworkPolicy
  metadata: {name: walls}
  spec: {podSelector: {matchLabels: {app: x}}, policyTypes: [Ingress], ingress: [{from: [{podSelector: {matchLabels: {app: y}}}], ports: [{port: 80, protocol: TCP}]}]}
- apiVersion: v1
  kind: ReplicationController
  metadata: {name: rc}
  spec: {replicas: 0, selector: {app: rc}, template: {metadata: {labels: {app: rc}}, spec: {containers: [{name: c, image: busybox}]}}}
- apiVersion: apps/v1
  kind: StatefulSet
  metadata: {name: stateful}
  spec: {replicas: 0, serviceName: web, selector: {matchLabels: {app: s}}, template: {metadata: {labels: {app: s}}, spec: {containers: [{name: c, image: busybox}]}}}
- apiVersion: apps/v1
  kind: DaemonSet
  metadata: {name: daemon}
  spec: {selector: {matchLabels: {app: d}}, template: {metadata: {labels: {app: d}}, spec: {nodeSelector: {no: where}, containers: [{name: c, image: busybox}]}}}
""",
    "global.yaml": """apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: PersistentVolume
  metadata: {name: disk-{n}}
  spec: {capacity: {storage: 1Gi}, accessModes: [ReadWriteOnce], storageClassName: other, persistentVolumeReclaimPolicy: Retain, hostPath: {path: /tmp/none}}
- apiVersion: storage.k8s.io/v1
  kind: StorageClass
  metadata: {name: class-{n}}
  provisioner: example.org/none
- apiVersion: networking.k8s.io/v1
  kind: IngressClass
  metadata: {name: class-{n}}
  spec: {controller: example.org/none}
""",
    "env": "A=1\nB=two\n",
    "plain": "text\n",
    "patch.yaml": "data:\n  patched: file\n",
    "edit.sh": "#!/bin/sh\nsed -i 's/value/edited/' \"$1\"\n",
    "same.sh": "#!/bin/sh\ntrue\n",
}
HELP = ["", "get", "describe", "create", "create deployment", "apply", "run", "delete", "logs", "exec", ("rollout", {"shape": 1}), "rollout status", "set image", ("config", {"shape": 1}), "expose", "scale", "label",
        "port-forward", "proxy", "wait", "explain", "api-resources", "edit", "drain", "cp"]
LINES = [
    # --- facts
    "version --client", "version -o foo", ("version extra", {}), "api-versions", "api-resources", "api-resources -o wide", "api-resources -o name", "api-resources --namespaced=false",
    "api-resources --api-group=apps", "api-resources --verbs=list,get --sort-by=name", "api-resources --sort-by=kind --no-headers", "api-resources --sort-by=x", "api-resources -o foo", "api-resources --categories=all",
    "api-resources x", "api-versions x", "cluster-info", "get --raw /version", "get --raw /nothing", "get --raw /healthz",
    # --- usage errors
    "frobnicate", "get", "get pods --nope", "get pods -Z", "get pods -o", "get nonsense", "get nonsense x", "get pods nothing", "get pod/nothing svc/nothing", "get pods x -A", "get pods/x y", "get pods x/y",
    "get pods -l a=b x", "get pods -o bar", "get pods -o jsonpath", "get pods -o jsonpath={", "get pods -o custom-columns", "get pods -o custom-columns=A", "get pods -o go-template", "get pods --field-selector=bad", "get pods --field-selector=x.y=z",
    "get pods -l 'a in'", "get pods --watch=maybe", "create", "create nonsense", "create deployment", "create deployment x", "create deployment x y --image=a", ("create secret", {"shape": 1}), "create secret x", "create secret generic", "create configmap",
    ("create service", {"shape": 1}), "create service clusterip", "apply", "apply x", "apply -f {d}/missing.yaml", "delete", "delete pods", "delete nonsense x", "delete pod nothing", "delete pod nothing --ignore-not-found", "delete pod/nothing --cascade=x", "describe", "describe pods nothing",
    "describe nonsense", "run", "run x", "run x y --image=a", "run x --image=", "run x --image=a --restart=Foo", "run X_Y --image=busybox", "expose", "expose pod nothing --port=80", "expose pods nothing", "logs", "logs nothing", "logs a b c", "logs box -c a --all-containers",
    "exec", "exec nothing", "exec nothing -- ls", "exec box", "attach", "attach nothing", "cp", "cp a", "cp a b", "cp a:b c:d", "port-forward", "port-forward box", "port-forward nothing 1:2", "scale", "scale deployment nothing", "scale deployment nothing --replicas=1",
    "scale deployment --replicas=1", "scale pod nothing --replicas=1", "autoscale deployment nothing", "label", "label pods", "label pods nothing", "label pods nothing a=b", "label pods nothing a=b=c", "annotate pods nothing a=b", "annotate pods nothing", "patch", "patch pod nothing", "patch pod nothing -p {}",
    "patch pod nothing -p {", "patch pod nothing -p {} --type=foo", "rollout", "rollout foo", "rollout status", "rollout status deployment/nothing", "rollout history deployment/nothing", "rollout undo deployment/nothing", "rollout restart deployment/nothing", "rollout pause deployment/nothing",
    "rollout resume deployment/nothing", "rollout restart", "rollout status pod/nothing", ("set", {"shape": 1}), "set image", "set image deployment/nothing", "set image deployment/nothing a=b", "set env deployment/nothing A=b", "set resources deployment/nothing", "wait", "wait pod/nothing", "wait pod/nothing --for=foo",
    "wait pod/nothing --for=condition=Ready --timeout=1s", "wait pod/nothing --for=delete --timeout=1s", "wait pods --for=delete -l none=none", "wait pods --for=condition=Ready -l none=none", "explain", "explain nonsense", "explain pods.nothing", "explain pods --api-version=v2", "explain pods -o foo",
    "edit", "edit pod nothing", "diff", "drain", "drain nothing", "cordon", "cordon nothing", "uncordon nothing", "taint", "taint nodes nothing a=b:NoSchedule", "taint nodes nothing a=b:Foo", "taint nodes nothing", ("auth", {"shape": 1}), "auth can-i", "auth can-i get", "config", "config foo", "config get-contexts nothing",
    "config use-context nothing", "config use-context", "config delete-context nothing", "config rename-context a b", "replace", "completion", "completion foo", "certificate approve nothing", ("certificate", {"shape": 1}), ("top", {"shape": 1}), "get pods --context=nothing", "get pods --cluster=nothing", "get pods --user=nothing", "get pods --kubeconfig=/nothing",
    "get pods --request-timeout=x", "get pods -n nothing", "get all", "get pods", "get pods -A -l none=none", "get pods -o name", "get pods -o json", "get pods -o yaml", "get pods --ignore-not-found", "events", "events --for pod/nothing", "get events",
    # --- generators
    "create configmap lit --from-literal=a=b --from-literal=c=d", "create configmap lit", "create configmap file --from-file={d}/plain", "create configmap named --from-file=key={d}/plain", "create configmap env --from-env-file={d}/env", "create configmap gone --from-file={d}/gone", "create configmap bad --from-literal=a",
    "create cm dry --from-literal=a=b --dry-run=client -o yaml", "create cm dry --from-literal=a=b --dry-run=server", "create cm dry --dry-run=client", "create cm dry --dry-run=foo", "create cm lit2 --from-literal=a=b -o name", "create cm lit3 --from-literal=a=b -o json", "get cm lit -o yaml", "get cm lit file env",
    "describe cm lit", "describe configmaps file env", "create secret generic s1 --from-literal=user=me --from-literal=pass=word", "create secret generic s2 --from-literal=a=b --type=example.org/x", "create secret docker-registry reg --docker-username=u --docker-password=p --docker-email=e --docker-server=r",
    "create secret docker-registry reg2", "create secret tls t --cert={d}/gone --key={d}/gone", "create secret tls t", "get secrets", "describe secret s1", "get secret reg -o jsonpath={.data}", "get secret s1 -o go-template={{.data.user}}", "get secret s1 -o go-template='{{range $k,$v := .data}}{{$k}}={{$v|base64decode}} {{end}}'",
    "create deployment dep --image=busybox --replicas=0", "create deployment dep --image=busybox", "create deployment dep2 --image=busybox --image=web --port=80 --dry-run=client -o yaml", "create deployment dep3 --image=busybox --dry-run=client -o yaml -- sleep 10", "get deployment", "get deploy dep -o wide", "get deploy dep -o yaml",
    "describe deployment dep", "describe rs -l app=dep", "get deploy,cm", "get deploy/dep cm/lit", "get deploy -o custom-columns=NAME:.metadata.name,IMG:.spec.template.spec.containers[*].image,NO:.spec.none", "get deploy dep -o jsonpath='{.metadata.name} {.spec.replicas}{\"\\n\"}'", "get deploy dep --show-labels", "get deploy -L app",
    "get deploy --no-headers", "get deploy --show-kind", "get deploy dep -o jsonpath='{.spec}'", "get deploy dep -o jsonpath-as-json={.metadata.labels}",
    "create job j --image=busybox --dry-run=client -o yaml -- true", "create cronjob cj --image=busybox --schedule='0 0 1 1 *' -- true", "create cronjob bad --image=busybox --schedule=x", "create cronjob bad --image=busybox", "get cj", "describe cj cj", "create job fromcj --from=cronjob/cj --dry-run=server", "create job nofrom --from=cronjob/nothing",
    "create job x", "create service clusterip svc --tcp=80:8080", "create service clusterip headless --clusterip=None", "create service nodeport np --tcp=80 --dry-run=client -o yaml", "create service loadbalancer lb --tcp=80:80 --dry-run=client -o yaml", "create service externalname ext --external-name=example.org", "get svc ext", "get svc svc -o wide",
    "describe svc svc", "describe svc ext", "create serviceaccount sa", "describe sa sa", "get sa", "create role r --verb=get,list --resource=pods,deployments.apps --resource-name=x", "create role r --verb=foo --resource=pods", "create role r2", "create role r2 --verb=get --resource=nonsense", "describe role r", "get role",
    "create rolebinding rb --role=r --user=me --serviceaccount={ns}:sa --group=g", "create rolebinding rb2", "create rolebinding rb2 --role=a --clusterrole=b", "create rolebinding rb2 --role=r --serviceaccount=bad", "describe rolebinding rb", "get rolebinding -o wide", "create clusterrole cr-{n} --verb=get --resource=nodes",
    "create clusterrole cr2-{n} --verb=get --non-resource-url=/x", "describe clusterrole cr-{n} cr2-{n}", "create clusterrolebinding crb-{n} --clusterrole=cr-{n} --user=me", "describe clusterrolebinding crb-{n}", "get clusterrolebinding crb-{n}", "create quota q --hard=pods=100,configmaps=100", "create quota q2 --hard=x",
    "create priorityclass pc-{n} --value=10 --description=some", "describe priorityclass pc-{n}", "get pc pc-{n}", "create pdb pdb --selector=app=none --min-available=1", "create pdb pdb2 --selector=app=none", "create pdb pdb2 --min-available=1", "create ingress ing --rule=a.example/x*=svc:80,tls=c --class=none", "create ingress ing2", "create ingress ing2 --rule=x",
    "describe ing ing", "get ing", "create namespace more-{n}", "get ns more-{n}", "describe ns more-{n}", "create ns more-{n}", "delete ns more-{n}", "create token nothing", ("create token sa", {"shape": 1}),
    # --- files
    "create -f {d}/two.yaml", "create -f {d}/two.yaml", "delete -f {d}/two.yaml", "delete -f {d}/two.yaml", "delete -f {d}/two.yaml --ignore-not-found", "create -f {d}/bad.yaml", "create -f {d}/bad.yaml --validate=false --dry-run=server", "create -f {d}/broken.yaml", "create -f {d}/nokind.yaml", "create -f {d}/unknown.yaml",
    "apply -f {d}/cm.yaml", "apply -f {d}/cm.yaml", "apply -f {d}/cm2.yaml", "get cm applied -o yaml", "apply -f {d}/cm.yaml --dry-run=client", "apply -f {d}/cm.yaml --dry-run=server", ("apply -f -", {"stdin": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: piped}\n"}), "apply -f {d}/cm.yaml -o name", "apply -f {d}/cm.yaml --server-side",
    "apply -f {d}/cm2.yaml --server-side --force-conflicts", "apply view-last-applied cm/applied", "apply view-last-applied cm/lit", "apply -f {d}/cm.yaml -n other", ("apply -f -", {"stdin": ""}), "diff -f {d}/cm.yaml", "diff -f {d}/two.yaml", "replace -f {d}/cm.yaml", "replace -f {d}/two.yaml", "apply -f {d}/deploy.yaml", "apply -f {d}/more.yaml", "apply -f {d}/global.yaml", "apply -f {d}/unknown.yaml",
    "apply -f {d}/nokind.yaml", "apply -f {d}/broken.yaml", "apply -f {d}/bad.yaml", "get -f {d}/cm.yaml", "describe -f {d}/cm.yaml",
    # --- descriptions
    "describe pvc claim", "describe limits bounds", "describe quota share", "describe quota q", "describe ing gate", "describe hpa grow", "describe pdb budget", "describe ep ends", "describe endpointslice slice", "describe netpol walls", "describe rc rc", "describe sts stateful", "describe ds daemon", "describe pv disk-{n}", "describe sc class-{n}", "describe ingressclass class-{n}",
    "get pvc,limits,quota,hpa,pdb,netpol,rc,sts,ds,ing", "get ep ends", "get endpointslice slice", "get pv disk-{n}", "get sc class-{n}", "get ingressclass class-{n}", "get sc,ingressclass class-{n}", "describe deploy filed", "describe ns {ns}", "get ns {ns} -o yaml", ("describe node n1", {"shape": 1}), "get node n1", "get node n1 -o wide", "get cs",
    # --- changes
    "label cm lit x=y", "label cm lit x=y", "label cm lit x=z", "label cm lit x=z --overwrite", "label cm lit x-", "label cm lit x-", "label cm lit --list", "label cm lit x=1 y-", "label cm lit 'bad key=1'", "label cm lit file x=y", "label cm --all q=r", "label cm -l q=r q-", "label cm lit x=y --dry-run=client", "label cm lit x=y -o name", "label cm lit a=b a-",
    "annotate cm lit x=y", "annotate cm lit x=z", "annotate cm lit x=z --overwrite", "annotate cm lit x-", "annotate cm lit x-", "annotate cm lit --list", "annotate cm lit n=1 -o yaml", "patch cm lit -p '{\"data\":{\"p\":\"q\"}}'", "patch cm lit -p '{\"data\":{\"p\":\"q\"}}'", "patch cm lit --type=merge -p 'data: {p: r}'",
    "patch cm lit --type=json -p '[{\"op\":\"remove\",\"path\":\"/data/p\"}]'", "patch cm lit --type=json -p '[{\"op\":\"remove\",\"path\":\"/data/p\"}]'", "patch cm lit --patch-file {d}/patch.yaml", "patch cm lit -p '{\"data\":{\"p\":1}}'", "patch cm lit -p '{\"data\":{\"p\":\"s\"}}' -o jsonpath={.data}",
    ("edit cm applied", {"env": {"KUBE_EDITOR": "{d}/edit.sh"}}), "get cm applied -o jsonpath={.data}", ("edit cm applied", {"env": {"KUBE_EDITOR": "{d}/same.sh"}}), "scale deploy dep --replicas=0", "scale deploy dep --replicas=0 --current-replicas=3", "scale deploy/dep deploy/filed --replicas=0", "scale deploy dep --replicas=-1", "scale sts stateful --replicas=0", "scale cm lit --replicas=1",
    "scale deploy dep --replicas=0 --timeout=5s", "set image deploy/dep busybox=busybox:2", "set image deploy/dep busybox=busybox:2", "set image deploy/dep nothing=busybox", "set image deploy dep '*=busybox'", "set image deploy/dep x", "set env deploy/dep A=b", "set env deploy/dep --list", "set env deploy/dep A-", "set env deploy/dep A=c --dry-run=client -o yaml",
    "set env deploy/dep --from=cm/lit --prefix=X_", "set resources deploy/dep --limits=cpu=1,memory=1Gi --requests=cpu=1", "set resources deploy/dep --limits=x", "set serviceaccount deploy/dep sa", "set selector svc svc a=b", "set subject rolebinding rb --user=you", "rollout history deploy/dep", "rollout history deploy/dep --revision=1", "rollout history deploy/dep --revision=99",
    "rollout status deploy/dep", "rollout pause deploy/dep", "rollout pause deploy/dep", "rollout restart deploy/dep", "rollout resume deploy/dep", "rollout resume deploy/dep", "rollout restart deploy/dep", "rollout undo deploy/dep", "rollout undo deploy/dep --to-revision=99", "rollout undo deploy/dep --dry-run=client", "rollout status deploy dep --revision=1",
    "autoscale deploy dep --min=1 --max=3 --cpu-percent=50", "autoscale deploy dep --max=3", "autoscale deploy filed --min=5 --max=3", "autoscale deploy filed", "get hpa dep",
    "expose deploy dep --port=80 --target-port=8080", "expose deploy dep --port=80", "expose deploy dep --name=dep-np --port=80 --type=NodePort --dry-run=client -o yaml", "expose deploy dep --name=dep2", "get svc dep", "expose cm lit --port=80",
    "cordon n1 --dry-run=client", "uncordon n1", "taint nodes n1 a=b:NoSchedule --dry-run=client", "taint nodes n1 a-", "drain n1 --dry-run=client --ignore-daemonsets --force --pod-selector=none=none",
    # --- rights and configuration
    "auth can-i get pods", "auth can-i get pods --as=nobody", "auth can-i get nonsense", "auth can-i get pods/log -n default", "auth can-i get /metrics", "auth can-i create deployments.apps -q", "auth can-i --list", "auth can-i --list --as=system:serviceaccount:{ns}:sa", "auth can-i delete pods box", "auth can-i get pods -A", "auth can-i get nodes", "auth whoami", "auth whoami -o json",
    "get secrets --as=nobody", "get nodes --as=nobody", "create cm no --as=nobody", "config view", "config view --minify", "config view -o json", "config view -o jsonpath={.contexts[0].name}", "config get-contexts", "config get-contexts -o name", "config current-context", "config get-clusters", "config get-users", "config set-context extra --namespace=foo --cluster=c",
    "config set-context extra --namespace=bar", "config get-contexts extra", "config use-context extra", "config current-context", "config rename-context extra other", "config delete-context other", "config current-context", "config unset current-context", "config set-cluster x --server=https://127.0.0.1:1", "config set-credentials u --token=t", "config get-clusters", "config get-users", "config delete-cluster x", "config delete-user u",
    "config set contexts.y.namespace z", "config view -o jsonpath={.contexts[*].name}", "config unset contexts.y", "config delete-context y",
    # --- explain
    ("explain pods", {"shape": 1}), ("explain deployments.spec", {"shape": 1}), ("explain pods --recursive", {"shape": 1}), ("explain deploy.spec.replicas", {"shape": 1}),
    # --- pods
    "apply -f {d}/pod.yaml", "wait pod/box --for=condition=Ready --timeout=40s", "wait --for=jsonpath='{.status.phase}'=Running pod/box --timeout=10s", "wait --for=condition=Nope pod/box --timeout=1s", "wait pod/box --for=jsonpath='{.status.nope}' --timeout=1s", "wait pod/box --for=create --timeout=1s", "get pod box", "get pod box -o wide", "get pods -o yaml", "describe pod box", "describe pod bo", "describe pods",
    "logs box", "logs box -c side", "logs box --all-containers", "logs box --all-containers --prefix", "logs box --tail=1", "logs box --since=1h --timestamps", "logs box -c nothing", "logs pod/box", "logs -l app=box", "logs -l app=none", "logs box -p", "logs box --limit-bytes=3", "logs box --since=1h --since-time=2020-01-01T00:00:00Z", "logs deploy/dep", "exec box -- echo hi", "exec box -c side -- echo side",
    "exec box -c nothing -- true", "exec box -- false", "exec box -- sh -c 'exit 7'", "exec box -- nothing", ("exec -i box -- cat", {"stdin": "through\n"}), "exec pod/box -- hostname", "cp {d}/plain box:/tmp/plain", "exec box -- cat /tmp/plain", "cp box:/tmp/plain {d}/back", "cp box:/nothing {d}/back", "cp {d}/gone box:/tmp/x", "cp {d}/plain nothing:/tmp/x",
    "expose pod box --port=80 --name=box", "describe svc box", "get pod box -o jsonpath='{range .spec.containers[*]}{.name}{\"\\n\"}{end}'", "get pods --sort-by=.metadata.name", "get pods --field-selector=status.phase=Running", "get pods -o custom-columns-file=/nothing", "label pod box a=b", "set image pod/box main=busybox --dry-run=client", "run one --image=busybox --restart=Never --dry-run=client -o yaml --port=80 --env=A=b --labels=x=y -- sleep 1",
    "run two --image=busybox --image-pull-policy=IfNotPresent --restart=Never -- true", "run two --image=busybox", "run three --image=busybox --dry-run=server", "run three --image=busybox --expose --port=80 --dry-run=client", "run four --image=busybox --expose", "wait pod/two --for=jsonpath={.status.phase}=Succeeded --timeout=40s",
    ("run five --image=busybox --image-pull-policy=IfNotPresent --restart=Never --rm -i --quiet -- echo attached", {"stdout": 1}), "get pods two", "delete pod two", "delete pod two box --grace-period=1", "delete pod box --now", "delete deploy,cm --all", "delete svc -l none=none", "delete all --all", "delete clusterrole cr-{n} cr2-{n}", "delete clusterrolebinding crb-{n}", "delete pc pc-{n}", "delete -f {d}/global.yaml",
    "delete cm nothing --dry-run=client", "delete sa sa --dry-run=server", "delete sa sa -o name",
]

ORDER = "Go's maps have no order, ours are sorted by name"
KEYS = "keys of JSON are sorted by name, where the real one has the order of Go's fields"
EARLY = "what is wrong with the line itself is said before the server is asked"
TIME = "what the cluster does meanwhile"
FEWER = "a revision less, because `set env --from` before it is not there"
WORDS = "help has words of its own"
KNOWN = {
    "version --client": "ours says 1.36, and has no kustomize",
    "patch pod nothing -p {": EARLY, "rollout status pod/nothing": EARLY, "set image deployment/nothing": EARLY, "set resources deployment/nothing": EARLY, "set image deploy/dep x": EARLY,
    "rollout": WORDS, "config": WORDS, "config use-context": WORDS, "certificate": WORDS, "set": WORDS, "auth": WORDS, "top": WORDS,
    "create cm lit3 --from-literal=a=b -o json": KEYS, "auth whoami -o json": KEYS, "config view -o json": KEYS,
    "describe cm lit": ORDER, "describe configmaps file env": ORDER, "describe secret s1": ORDER, "describe secret reg": ORDER, "describe -f {d}/cm.yaml": ORDER,
    "logs box --all-containers": ORDER, "logs box --all-containers --prefix": ORDER, "config get-clusters": ORDER, "config get-users": ORDER, "auth can-i --list": ORDER, "auth can-i --list --as=system:serviceaccount:{ns}:sa": ORDER, "label cm lit --list": ORDER, "annotate cm lit --list": ORDER, "set env deploy/dep --list": ORDER,
    "create job j --image=busybox --dry-run=client -o yaml -- true": "empty metadata: {} where 1.33 has creationTimestamp: null (1.34 and later leave it out)",
    "diff -f {d}/cm.yaml": "the real one moves fields that client-side apply owned to the first server-side apply; ours leaves managedFields to the server",
    "apply -f {d}/more.yaml": "the sentence on a kind that the server lacks has name and file",
    "rollout history deploy/dep": FEWER, "rollout status deploy dep --revision=1": FEWER, "describe pods": TIME, "describe pod box": TIME, "describe pod bo": TIME, "events": TIME, "get events": TIME,
    "get node n1 -o wide": TIME, 
    "rollout undo deploy/dep --dry-run=client": "one line, as for all other dry runs; the real one prints the pod template",
    "logs -l app=box": "the container that is taken by default is not told for many pods",
    "cp {d}/plain box:/tmp/plain": "what tar says", "cp box:/tmp/plain {d}/back": "what tar says, and on which stream", "cp box:/nothing {d}/back": "the real one succeeds where nothing was copied",
    "exec box -- nothing": "the runtime's own sentence",
    "run three --image=busybox --expose --port=80 --dry-run=client": "the pod is said first",
    "get pods --request-timeout=x": "--request-timeout is accepted and not used",
    "set env deploy/dep --from=cm/lit --prefix=X_": "--from is not there",
}
