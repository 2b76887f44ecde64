// SPDX-License-Identifier: Apache-2.0
import * as k8s from '@kubernetes/client-node';
const kc = new k8s.KubeConfig(); kc.loadFromFile(process.argv[2]);
const core = kc.makeApiClient(k8s.CoreV1Api), apps = kc.makeApiClient(k8s.AppsV1Api);
await core.createNamespacedConfigMap({namespace:'default', body:{metadata:{name:'js'}, data:{a:'b'}}});
console.log((await core.readNamespacedConfigMap({name:'js',namespace:'default'})).data);
await core.patchNamespacedConfigMap({name:'js',namespace:'default',body:[{op:'add',path:'/data/c',value:'d'}]});
const w = new k8s.Watch(kc);
await new Promise(async (ok)=>{ const r = await w.watch('/api/v1/namespaces/default/configmaps',{},(t,o)=>{ if(o.metadata.name==='js'){console.log(t,o.data); r.abort(); ok();}},()=>{}); });
const inf = k8s.makeInformer(kc,'/api/v1/namespaces/default/configmaps',()=>core.listNamespacedConfigMap({namespace:'default'}));
const seen = new Promise(ok=>inf.on('add',o=>{ if(o.metadata.name==='js2') ok(); }));
await inf.start();
await core.createNamespacedConfigMap({namespace:'default', body:{metadata:{name:'js2'}}});
await seen; console.log('informer'); await inf.stop();
await apps.createNamespacedDeployment({namespace:'default', body:{metadata:{name:'js'},spec:{selector:{matchLabels:{a:'b'}},template:{metadata:{labels:{a:'b'}},spec:{containers:[{name:'c',image:'i'}]}}}}});
console.log((await apps.readNamespacedDeploymentScale({name:'js',namespace:'default'})).spec.replicas);
const o = k8s.KubernetesObjectApi.makeApiClient(kc);
const r = await o.patch({apiVersion:'v1',kind:'ConfigMap',metadata:{name:'js',namespace:'default'},data:{z:'1'}}, undefined, undefined, 'js', true, k8s.PatchStrategy.ServerSideApply);
console.log(r.data);
for (const n of ['js','js2']) await core.deleteNamespacedConfigMap({name:n,namespace:'default'});
await apps.deleteNamespacedDeployment({name:'js',namespace:'default'});
try { await core.readNamespacedPod({name:'x',namespace:'default'}); } catch(e){ console.log(e.code); }
process.exit(0);
