package deploy

import (
	"cmp"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
)

// RunJob makes a Job from a CronJob, as anyone may with kubectl, shows the logs of its pods, and returns the exit status of
// the last one. An interrupt ends the logs, and not the Job.
func RunJob(kubectl func(args ...string) *exec.Cmd, cronJob string) (status int, err error) {
	name := fmt.Sprintf("%s-by-hand-%d", cronJob, time.Now().Unix())
	if err := attached(kubectl("create", "job", name, "--from=cronjob/"+cronJob)); err != nil {
		return 0, fmt.Errorf("create the Job: %w", err)
	}
	followed, said := map[string]bool{}, map[string]bool{}
	for ; ; time.Sleep(500 * time.Millisecond) {
		var job batchv1.Job
		if err := get(kubectl, &job, "job", name); err != nil {
			return 0, err
		}
		var pods corev1.PodList
		if err := get(kubectl, &pods, "pods", "--selector", batchv1.JobNameLabel+"="+name); err != nil {
			return 0, err
		}
		slices.SortFunc(pods.Items, func(a, b corev1.Pod) int { return a.CreationTimestamp.Compare(b.CreationTimestamp.Time) })
		for _, pod := range pods.Items {
			if line := waitsFor(pod); line != "" && !said[line] {
				said[line] = true
				fmt.Fprintln(os.Stderr, line)
			}
			if pod.Status.Phase != corev1.PodPending && !followed[pod.Name] {
				followed[pod.Name] = true
				if err := attached(kubectl("logs", "--follow", pod.Name)); err != nil {
					return 0, fmt.Errorf("follow the log of %s: %w", pod.Name, err)
				}
			}
		}
		for _, c := range job.Status.Conditions {
			switch {
			case c.Status != corev1.ConditionTrue:
			case c.Type == batchv1.JobComplete:
				return 0, nil
			case c.Type == batchv1.JobFailed:
				fmt.Fprintf(os.Stderr, "Job %s failed: %s\n", name, c.Message)
				return exitStatus(pods.Items), nil
			}
		}
	}
}

// attached runs a command whose output is the user's.
func attached(cmd *exec.Cmd) error {
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return cmd.Run()
}

func get(kubectl func(args ...string) *exec.Cmd, into any, args ...string) error {
	cmd := kubectl(append([]string{"get", "--output", "json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("get %s: %w", args[0], err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		return fmt.Errorf("read %s: %w", args[0], err)
	}
	return nil
}

// waitsFor says why a pod doesn't start, where there is more to say than that it takes its time.
func waitsFor(pod corev1.Pod) string {
	for _, c := range pod.Status.Conditions {
		if c.Type == corev1.PodScheduled && c.Status == corev1.ConditionFalse {
			return fmt.Sprintf("Pod %s can't be scheduled: %s", pod.Name, c.Message)
		}
	}
	for _, c := range pod.Status.ContainerStatuses {
		if w := c.State.Waiting; w != nil && w.Message != "" {
			return fmt.Sprintf("Pod %s: %s: %s", pod.Name, w.Reason, w.Message)
		}
	}
	return ""
}

// exitStatus is that of the last pod's process: 1 where none has ended by itself.
func exitStatus(pods []corev1.Pod) int {
	for _, pod := range slices.Backward(pods) {
		for _, c := range pod.Status.ContainerStatuses {
			if c.State.Terminated != nil {
				return cmp.Or(int(c.State.Terminated.ExitCode), 1)
			}
		}
	}
	return 1
}
