//go:build e2e

package e2e

import (
	"strings"
	"testing"
)

func TestNamespaceRefusesPodsThatAreNotRestricted(t *testing.T) {
	for name, how := range map[string]string{
		"one that may be root":         "",
		"one in the node's network":    `--overrides='{"spec":{"hostNetwork":true}}'`,
		"one with the node's own disk": `--overrides='{"spec":{"volumes":[{"name":"disk","hostPath":{"path":"/"}}]}}'`,
	} {
		said := refused(t, ".local/bin/local exec -- kubectl --namespace %s run refused --image ghcr.io/acme/backend:1.0.0 %s", namespace("dev"), how)
		if !strings.Contains(said, `violates PodSecurity "restricted`) {
			t.Errorf("%s was refused with %q, want Pod Security's reason", name, said)
		}
	}
	// Whichever of the API server's checks comes first.
	refused(t, ".local/bin/local exec -- kubectl --namespace %s run refused --image ghcr.io/acme/backend:1.0.0 --privileged", namespace("dev"))
}

// look prints what a container may do, and tries what it may not.
const look = `exec 2>&1; id -u; cat /proc/1/status; ls /var/run/secrets/kubernetes.io; touch /tmp/written && echo wrote /tmp
for dir in / /etc /usr /var /home; do touch $dir/written && echo wrote $dir; done; true`

func TestContainersHaveNoMoreThanTheyNeed(t *testing.T) {
	for tier, uid := range map[string]string{"nginx": "10101", "backend": "10001", "frontend": "10001"} {
		t.Run(tier, func(t *testing.T) {
			said := kubectl(t, "dev", "exec deployment/"+deployment(t, "dev", tier)+" -- sh -c '"+look+"'")
			bounding := "0000000000000000"
			if tier != "nginx" {
				bounding = "0000000000000400" // NET_BIND_SERVICE: a file of the image may have it
			}
			for _, want := range []string{
				"CapBnd:\t" + bounding, "CapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", "Uid:\t" + uid + "\t" + uid,
				"'/var/run/secrets/kubernetes.io': No such file", "wrote /tmp",
			} {
				if !strings.Contains(said, want) {
					t.Errorf("no %q in what is seen:\n%s", want, said)
				}
			}
			if n := strings.Count(said, "Read-only file system"); n != 5 {
				t.Errorf("%d of 5 directories are read-only:\n%s", n, said)
			}
			if !strings.HasPrefix(said, uid+"\n") {
				t.Errorf("it runs as another user than %s:\n%.100s", uid, said)
			}
		})
	}
}
