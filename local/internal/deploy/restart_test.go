package deploy

import (
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

func TestDeploymentsOfARebuiltImageAreRestarted(t *testing.T) {
	const digest = "@sha256:0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a0a"
	deployment := func(name, image string) appsv1.Deployment {
		d := appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Name: name}}
		d.Spec.Template.Spec.Containers = []corev1.Container{{Image: image}}
		return d
	}
	all := []appsv1.Deployment{deployment("backend", "ghcr.io/acme/api:1"+digest), deployment("worker", "ghcr.io/acme/api:1"+digest), deployment("nginx", "nginx:1")}
	if have := using(all, []string{"ghcr.io/acme/api" + digest}); !slices.Equal(have, []string{"backend", "worker"}) {
		t.Errorf("restarted are %v", have)
	}
	if have := using(all, []string{"docker.io/library/nginx:1"}); !slices.Equal(have, []string{"nginx"}) {
		t.Errorf("restarted are %v", have)
	}
}
