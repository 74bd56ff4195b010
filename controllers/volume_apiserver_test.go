//go:build apiserver

package controllers_test

import (
	"context"
	"testing"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	. "github.com/onsi/gomega"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"channellink.dev/operator/api/v1alpha1"
	"channellink.dev/operator/internal/names"
)

// volumeOf reads the claim of the ChannelLink's volume.
func volumeOf(t *testing.T, link *v1alpha1.ChannelLink) *corev1.PersistentVolumeClaim {
	t.Helper()
	claim := &corev1.PersistentVolumeClaim{}
	if err := env.Client.Get(t.Context(), client.ObjectKey{Namespace: link.Namespace, Name: names.Volume(link)}, claim); err != nil {
		t.Fatal(err)
	}
	return claim
}

// bind does with the claim what the cluster's controller does when it has a volume for it.
func bind(t *testing.T, claim *corev1.PersistentVolumeClaim) {
	t.Helper()
	claim.Spec.VolumeName = "disk-of-" + claim.Namespace
	if err := env.Client.Update(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
	claim.Status.Phase = corev1.ClaimBound
	if err := env.Client.Status().Update(t.Context(), claim); err != nil {
		t.Fatal(err)
	}
}

// storageClass makes a class that ends with the test.
func storageClass(t *testing.T, class *storagev1.StorageClass) {
	t.Helper()
	class.Provisioner = "example.com/disks"
	if err := env.Client.Create(t.Context(), class); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := env.Client.Delete(context.WithoutCancel(t.Context()), class); err != nil {
			t.Error(err)
		}
	})
}

// onClass has the links on a volume of the class.
func onClass(class string) func(*v1alpha1.ChannelLink) {
	return func(link *v1alpha1.ChannelLink) {
		link.Spec.Store = &v1alpha1.Store{SQLite: &v1alpha1.SQLiteStore{StorageClassName: v1alpha1.ObjectName(class)}}
	}
}

// sized has the volume be of the size.
func sized(spec *v1alpha1.ChannelLinkSpec, size string) {
	spec.Store.SQLite.Size = new(resource.MustParse(size))
}

// Whatever keeps a volume from growing, the rest of the spec is carried out and the channel is served; it is told what is
// in the way; and there are two ways out: the size is set back, or what is in the way goes.
func TestAVolumeThatCannotGrow(t *testing.T) {
	o := startOperator(t)
	storageClass(t, &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "growing"}, AllowVolumeExpansion: new(true)})
	for _, tc := range []struct {
		name, reason string
		class        string
		// prevent is done before the volume is to grow, and allow afterwards.
		prevent, allow func(t *testing.T, claim *corev1.PersistentVolumeClaim)
		says           string
	}{
		{
			name: "storage class", reason: "its class does not allow it", class: "stiff", says: "Forbidden for persistentvolumeclaims",
			prevent: func(t *testing.T, claim *corev1.PersistentVolumeClaim) {
				storageClass(t, &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "stiff"}})
				bind(t, claim)
			},
			allow: func(t *testing.T, _ *corev1.PersistentVolumeClaim) {
				change(t, client.ObjectKey{Name: "stiff"}, &storagev1.StorageClass{}, func(c *storagev1.StorageClass) { c.AllowVolumeExpansion = new(true) })
			},
		},
		{
			name: "quota", reason: "the namespace has no room", class: "growing", says: "Forbidden for persistentvolumeclaims",
			prevent: func(t *testing.T, claim *corev1.PersistentVolumeClaim) {
				bind(t, claim)
				quota := &corev1.ResourceQuota{
					ObjectMeta: metav1.ObjectMeta{Name: "small", Namespace: claim.Namespace},
					Spec:       corev1.ResourceQuotaSpec{Hard: corev1.ResourceList{corev1.ResourceRequestsStorage: resource.MustParse("2Gi")}},
				}
				if err := env.Client.Create(t.Context(), quota); err != nil {
					t.Fatal(err)
				}
				quota.Status = corev1.ResourceQuotaStatus{Hard: quota.Spec.Hard, Used: corev1.ResourceList{corev1.ResourceRequestsStorage: resource.MustParse("1Gi")}}
				if err := env.Client.Status().Update(t.Context(), quota); err != nil {
					t.Fatal(err)
				}
			},
			allow: func(t *testing.T, claim *corev1.PersistentVolumeClaim) {
				quota := &corev1.ResourceQuota{ObjectMeta: metav1.ObjectMeta{Name: "small", Namespace: claim.Namespace}}
				if err := env.Client.Delete(t.Context(), quota); err != nil {
					t.Fatal(err)
				}
			},
		},
		{
			name: "no pod yet", reason: "a claim that no pod has used is bound to no volume", class: "growing", says: `Invalid for PersistentVolumeClaim`,
			prevent: func(*testing.T, *corev1.PersistentVolumeClaim) {},
			allow:   bind,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			link := create(t, "line", env.Namespace(t), onClass(tc.class), unlinkAll)
			o.ready(t, link)
			tc.prevent(t, volumeOf(t, link))

			edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) {
				sized(spec, "5Gi")
				spec.DisplayName = "Vision, grown"
				spec.DeletionPolicy = v1alpha1.DeletionPolicyRetain
			})
			NewWithT(t).Eventually(func() (int64, error) {
				deployment := &appsv1.Deployment{}
				err := env.Client.Get(t.Context(), childOf(link), deployment)
				return deployment.Generation, err
			}).Should(BeNumerically(">", 1), "the rest of the spec must be carried out, though "+tc.reason)
			o.rollOut(t, link)
			got := eventually(t, link, condition{v1alpha1.ConditionStoreReady, metav1.ConditionTrue, v1alpha1.ReasonVolumeNotGrown})
			NewWithT(t).Expect(got.Message).To(And(ContainSubstring(tc.says), ContainSubstring("5Gi of spec.store.sqlite.size")), tc.reason)
			eventually(t, link, condition{v1alpha1.ConditionReady, metav1.ConditionTrue, v1alpha1.ReasonReady})
			eventually(t, link, condition{v1alpha1.ConditionReconciling, metav1.ConditionTrue, v1alpha1.ReasonVolumeNotGrown})
			if judgement := judged(t, link); judgement != status.InProgressStatus {
				t.Errorf("kstatus judges %s, want %s", judgement, status.InProgressStatus)
			}
			if len(link.Finalizers) > 0 {
				t.Errorf("with deletionPolicy Retain it has the finalizers %v", link.Finalizers)
			}
			NewWithT(t).Eventually(func() map[string]string { return warned(t, link) }).Should(HaveKeyWithValue(v1alpha1.ReasonVolumeNotGrown, got.Message))
			NewWithT(t).Expect(o.log.Tail()).To(ContainSubstring("growing the volume"), "the message promises details in the log")

			edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { sized(spec, "1Gi") })
			o.ready(t, link)
			eventually(t, link, condition{v1alpha1.ConditionStoreReady, metav1.ConditionTrue, v1alpha1.ReasonStoreOpen})

			edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) { sized(spec, "5Gi") })
			eventually(t, link, condition{v1alpha1.ConditionStoreReady, metav1.ConditionTrue, v1alpha1.ReasonVolumeNotGrown})
			tc.allow(t, volumeOf(t, link))
			NewWithT(t).Eventually(func(g Gomega) { // the API server has caches of its own
				touch(t, link, "again")
				size := volumeOf(t, link).Spec.Resources.Requests[corev1.ResourceStorage]
				g.Expect(size.String()).To(Equal("5Gi"))
			}).Should(Succeed())
			o.ready(t, link)
		})
	}
}

// A volume is taken up again in the class that it has, whichever one the spec names; and where the class is the cluster's
// choice, that choice is no reason to write the claim once more.
func TestAVolumeKeepsItsClass(t *testing.T) {
	o := startOperator(t)
	namespace := env.Namespace(t)
	link := create(t, "line", namespace, onClass("fast"))
	o.ready(t, link)
	volume := volumeOf(t, link)

	for _, tc := range []struct {
		name  string
		class string
		says  string
	}{
		{"the spec names none", "", v1alpha1.ReasonStoreOpen},
		{"the spec names another", "slow", v1alpha1.ReasonVolumeOfAnotherClass},
		{"the spec names the same", "fast", v1alpha1.ReasonStoreOpen},
	} {
		expect := func(t *testing.T) {
			t.Helper()
			o.ready(t, link)
			got := eventually(t, link, condition{v1alpha1.ConditionStoreReady, metav1.ConditionTrue, tc.says})
			now := volumeOf(t, link)
			if now.UID != volume.UID || *now.Spec.StorageClassName != "fast" {
				t.Errorf("the volume is another one, or of class %s", *now.Spec.StorageClassName)
			}
			if tc.says == v1alpha1.ReasonVolumeOfAnotherClass {
				NewWithT(t).Expect(got.Message).To(And(ContainSubstring(`class "fast"`), ContainSubstring(`spec.store.sqlite.storageClassName "slow"`)))
				NewWithT(t).Eventually(func() map[string]string { return warned(t, link) }).Should(HaveKeyWithValue(tc.says, got.Message))
			}
		}
		t.Run(tc.name, func(t *testing.T) {
			remove(t, link)
			collectGarbage(t, link)
			link = create(t, "line", namespace, onClass(tc.class))
			expect(t)
		})
		t.Run(tc.name+", after PostgreSQL", func(t *testing.T) {
			edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) {
				spec.Store = &v1alpha1.Store{Postgres: &v1alpha1.PostgresStore{DSNSecretRef: v1alpha1.SecretKeyReference{Name: "vision-database", Key: "dsn"}}}
			})
			o.ready(t, link)
			edit(t, link, func(spec *v1alpha1.ChannelLinkSpec) {
				spec.Store = &v1alpha1.Store{SQLite: &v1alpha1.SQLiteStore{StorageClassName: v1alpha1.ObjectName(tc.class)}}
			})
			expect(t)
		})
	}

	t.Run("the cluster's default", func(t *testing.T) {
		const isDefault = "storageclass.kubernetes.io/is-default-class"
		storageClass(t, &storagev1.StorageClass{ObjectMeta: metav1.ObjectMeta{Name: "standard", Annotations: map[string]string{isDefault: "true"}}})
		defaulted := func() *corev1.PersistentVolumeClaim {
			claim := &corev1.PersistentVolumeClaim{
				ObjectMeta: metav1.ObjectMeta{GenerateName: "probe-", Namespace: namespace}, Spec: volume.Spec,
			}
			claim.Spec.StorageClassName = nil
			if err := env.Client.Create(t.Context(), claim, client.DryRunAll); err != nil {
				t.Fatal(err)
			}
			return claim
		}
		NewWithT(t).Eventually(func() *string { return defaulted().Spec.StorageClassName }).ShouldNot(BeNil(), "the API server must know its default")

		recording := env.Record(t)
		plain := create(t, "line", env.Namespace(t), at("plain", "plain", "https://plain.vision.example"))
		o.ready(t, plain)
		touch(t, plain, "again")
		o.ready(t, plain)
		o.settle(0, 1)
		if class := volumeOf(t, plain).Spec.StorageClassName; class == nil || *class != "standard" {
			t.Fatalf("the volume is of class %v, want the cluster's default", class)
		}
		if writes := tally(t, recording, plain.Namespace); writes["patch persistentvolumeclaims"] != 1 {
			t.Errorf("the claim was written %d times, want once", writes["patch persistentvolumeclaims"])
		}
	})
}
