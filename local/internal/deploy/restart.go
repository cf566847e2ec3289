package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"

	appsv1 "k8s.io/api/apps/v1"

	"threetier/local/internal/images"
)

// Restart rolls the pods of images that were built again under the same name: their Deployments haven't changed.
func (s *Stack) Restart(ctx context.Context, rebuilt []string) error {
	if len(rebuilt) == 0 {
		return nil
	}
	data, err := exec.CommandContext(ctx, "kubectl", "--namespace", s.namespace(), "get", "deployments", "-o", "json").Output()
	if err != nil {
		return fmt.Errorf("list the deployments: %w", err)
	}
	var all appsv1.DeploymentList
	if err := json.Unmarshal(data, &all); err != nil {
		return fmt.Errorf("read the deployments: %w", err)
	}
	for _, name := range using(all.Items, rebuilt) {
		for _, verb := range []string{"restart", "status"} {
			cmd := exec.CommandContext(ctx, "kubectl", "--namespace", s.namespace(), "rollout", verb, "deployment/"+name)
			cmd.Stderr = os.Stderr
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("restart %s, whose image is new: %w", name, err)
			}
		}
		fmt.Fprintf(os.Stderr, "  %s is restarted, since its image was built again\n", name)
	}
	return nil
}

// using are the deployments with one of the images.
func using(deployments []appsv1.Deployment, rebuilt []string) (names []string) {
	for _, d := range deployments {
		spec := d.Spec.Template.Spec
		for _, container := range slices.Concat(spec.InitContainers, spec.Containers) {
			if name, err := images.Normal(container.Image); err == nil && slices.Contains(rebuilt, name) && !slices.Contains(names, d.Name) {
				names = append(names, d.Name)
			}
		}
	}
	return names
}
