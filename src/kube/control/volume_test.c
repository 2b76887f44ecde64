// SPDX-License-Identifier: Apache-2.0
#include "base/clock.h"
#include "kube/control/fake_int.h"

#define PV(name, size) "---\napiVersion: v1\nkind: PersistentVolume\nmetadata: {name: " name "}\nspec: {capacity: {storage: " size "}, accessModes: [ReadWriteOnce], " \
	"storageClassName: manual, hostPath: {path: /x}, persistentVolumeReclaimPolicy: Retain}\n"
#define PVC(name, size) "---\napiVersion: v1\nkind: PersistentVolumeClaim\nmetadata: {name: " name ", namespace: ns}\nspec: {accessModes: [ReadWriteOnce], " \
	"storageClassName: manual, resources: {requests: {storage: " size "}}}\n"

static const char *const names[] = { "persistentvolume-binder", NULL };

static struct kube_persistent_volume *pv(const char *name) { return fake_get("persistentvolumes", "", name); }
static struct kube_persistent_volume_claim *pvc(const char *name) { return fake_get("persistentvolumeclaims", "ns", name); }

static void binds(void)
{
	unsigned before;

	fake_create(PVC("a", "5Gi") PVC("b", "1Gi"));
	fake_settle();
	CHECK(!pvc("a")->spec.volume_name);
	fake_create(PV("large", "10Gi") PV("small", "1Gi"));
	fake_settle();
	CHECK_STR(pvc("a")->spec.volume_name, "large");
	CHECK_STR(pvc("a")->status.phase, "Bound");
	CHECK_STR(pvc("a")->status.capacity[0].value, "10Gi");
	CHECK_STR(pvc("b")->spec.volume_name, "small");
	CHECK_STR(pv("large")->status.phase, "Bound");
	CHECK_STR(pv("large")->spec.claim_ref->name, "a");
	before = fake_writes();
	fake_sleep(60 * NS_PER_S);
	CHECK_INT(fake_writes(), before);
	fake_delete("persistentvolumeclaims", "ns", "a", NULL);
	fake_settle();
	CHECK_STR(pv("large")->status.phase, "Released");
	fake_create(PVC("c", "5Gi"));
	fake_settle();
	CHECK(!pvc("c")->spec.volume_name);
	CHECK(fake_has_event("ProvisioningFailed", "storageclass.storage.k8s.io \"manual\" not found"));
	fake_patch("persistentvolumes", "", "large", NULL, "spec: {claimRef: null}");
	fake_settle();
	CHECK_STR(pvc("c")->spec.volume_name, "large");
	fake_delete("persistentvolumes", "", "small", NULL);
	fake_settle();
	CHECK_STR(pvc("b")->status.phase, "Lost");
}

TEST(a_claim_takes_the_smallest_volume_that_fits)
{
	fake_run(names, binds);
}
