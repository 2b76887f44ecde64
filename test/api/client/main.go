// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"os"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	applycore "k8s.io/client-go/applyconfigurations/core/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/client-go/tools/leaderelection"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/util/retry"
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func main() {
	c, err := clientcmd.BuildConfigFromFlags("", os.Args[1])
	must(err)
	c.ContentType = "application/vnd.kubernetes.protobuf"
	c.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	cs, err := kubernetes.NewForConfig(c)
	must(err)
	ctx := context.Background()
	f := informers.NewSharedInformerFactory(cs, 0)
	inf := f.Core().V1().ConfigMaps().Informer()
	seen := make(chan string, 100)
	inf.AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(o any) { seen <- "add " + o.(*corev1.ConfigMap).Name },
		UpdateFunc: func(a, o any) { seen <- "update " + o.(*corev1.ConfigMap).Name },
		DeleteFunc: func(o any) { seen <- "delete" },
	})
	stop := make(chan struct{})
	f.Start(stop)
	if !cache.WaitForCacheSync(stop, inf.HasSynced) {
		panic("no sync")
	}
	for len(seen) > 0 {
		<-seen
	}
	cm, err := cs.CoreV1().ConfigMaps("default").Create(ctx, &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: "go"}}, metav1.CreateOptions{})
	must(err)
	fmt.Println(<-seen)
	cm.Data = map[string]string{"a": "b"}
	cm, err = cs.CoreV1().ConfigMaps("default").Update(ctx, cm, metav1.UpdateOptions{})
	must(err)
	fmt.Println(<-seen)
	ap := applycore.ConfigMap("go", "default").WithData(map[string]string{"x": "y"})
	cm, err = cs.CoreV1().ConfigMaps("default").Apply(ctx, ap, metav1.ApplyOptions{FieldManager: "me", Force: true})
	must(err)
	fmt.Println(<-seen, cm.Data)
	must(cs.CoreV1().ConfigMaps("default").Delete(ctx, "go", metav1.DeleteOptions{}))
	fmt.Println(<-seen)
	one := int32(1)
	d, err := cs.AppsV1().Deployments("default").Create(ctx, &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: "god"}, Spec: appsv1.DeploymentSpec{Replicas: &one,
		Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"a": "b"}}, Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"a": "b"}},
			Spec: corev1.PodSpec{Containers: []corev1.Container{{Name: "c", Image: "i"}}}}}}, metav1.CreateOptions{})
	must(err)
	must(retry.RetryOnConflict(retry.DefaultRetry, func() error {
		sc, err := cs.AppsV1().Deployments("default").GetScale(ctx, d.Name, metav1.GetOptions{})
		must(err)
		sc.Spec.Replicas = 3
		_, err = cs.AppsV1().Deployments("default").UpdateScale(ctx, d.Name, sc, metav1.UpdateOptions{})
		return err
	}))
	l, err := cs.CoreV1().Pods("").List(ctx, metav1.ListOptions{Limit: 1})
	must(err)
	fmt.Println(len(l.Items), l.Continue != "")
	must(cs.AppsV1().Deployments("default").DeleteCollection(ctx, metav1.DeleteOptions{}, metav1.ListOptions{}))
	lctx, cancel := context.WithCancel(ctx)
	lock := &resourcelock.LeaseLock{LeaseMeta: metav1.ObjectMeta{Name: "lock", Namespace: "default"}, Client: cs.CoordinationV1(), LockConfig: resourcelock.ResourceLockConfig{Identity: "me"}}
	leaderelection.RunOrDie(lctx, leaderelection.LeaderElectionConfig{Lock: lock, LeaseDuration: 3 * time.Second, RenewDeadline: 2 * time.Second, RetryPeriod: 500 * time.Millisecond, ReleaseOnCancel: true,
		Callbacks: leaderelection.LeaderCallbacks{OnStartedLeading: func(context.Context) { fmt.Println("leading"); time.Sleep(time.Second); cancel() }, OnStoppedLeading: func() { fmt.Println("stopped") }}})
}
