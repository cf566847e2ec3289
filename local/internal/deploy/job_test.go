package deploy

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// pod has one container in this state.
func pod(state corev1.ContainerState, conditions ...corev1.PodCondition) corev1.Pod {
	return corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: "reindex-1"},
		Status:     corev1.PodStatus{Conditions: conditions, ContainerStatuses: []corev1.ContainerStatus{{State: state}}},
	}
}

func ended(status int32) corev1.Pod {
	return pod(corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{ExitCode: status}})
}

func TestStatusIsThatOfTheLastPodWhoseProcessEnded(t *testing.T) {
	running := pod(corev1.ContainerState{Running: &corev1.ContainerStateRunning{}})
	for _, test := range []struct {
		pods []corev1.Pod
		want int
	}{
		{nil, 1}, // none was ever made
		{[]corev1.Pod{ended(3), ended(7)}, 7},
		{[]corev1.Pod{ended(3), running}, 3},
		{[]corev1.Pod{running}, 1},
		{[]corev1.Pod{ended(0)}, 1}, // ended well, and too late
	} {
		if got := exitStatus(test.pods); got != test.want {
			t.Errorf("the status is %d, want %d", got, test.want)
		}
	}
}

func TestPodThatDoesntStartSaysWhy(t *testing.T) {
	waiting := func(reason, message string) corev1.ContainerState {
		return corev1.ContainerState{Waiting: &corev1.ContainerStateWaiting{Reason: reason, Message: message}}
	}
	unschedulable := corev1.PodCondition{Type: corev1.PodScheduled, Status: corev1.ConditionFalse, Message: "0/1 nodes are available"}
	for want, given := range map[string]corev1.Pod{
		"": pod(waiting("ContainerCreating", "")),
		`Pod reindex-1: CreateContainerConfigError: secret "x" not found`: pod(waiting("CreateContainerConfigError", `secret "x" not found`)),
		"Pod reindex-1 can't be scheduled: 0/1 nodes are available":       pod(corev1.ContainerState{}, unschedulable),
	} {
		if got := waitsFor(given); got != want {
			t.Errorf("the pod waits for %q, want %q", got, want)
		}
	}
}
