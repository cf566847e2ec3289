package node

import (
	"context"
	"fmt"
	"net"
	"os/exec"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/informers"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/cache"
)

// balanceLoad is the cloud's load balancer controller: every Service of type
// LoadBalancer, whatever its class, gets an address on the node, and kube-proxy
// does the rest. All that it needs to know stands in the Services themselves.
func balanceLoad(ctx context.Context, client kubernetes.Interface) error {
	factory := informers.NewSharedInformerFactory(client, time.Minute)
	services := factory.Core().V1().Services()
	changed := make(chan struct{}, 1)
	notify := func() {
		select {
		case changed <- struct{}{}:
		default:
		}
	}
	_, err := services.Informer().AddEventHandler(cache.ResourceEventHandlerFuncs{
		AddFunc:    func(any) { notify() },
		UpdateFunc: func(any, any) { notify() },
		DeleteFunc: func(any) { notify() },
	})
	if err != nil {
		return fmt.Errorf("watch the services: %w", err)
	}
	factory.Start(ctx.Done())
	factory.WaitForCacheSync(ctx.Done())
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-changed:
		}
		// The next event or resync tries again what failed.
		if err := reconcileLoadBalancers(ctx, client); err != nil && ctx.Err() == nil {
			logger.Printf("load balancers: %v", err)
			time.AfterFunc(time.Second, notify)
		}
	}
}

// reconcileLoadBalancers gives an address to each Service that wants one, and takes back those that nobody has.
func reconcileLoadBalancers(ctx context.Context, client kubernetes.Interface) error {
	list, err := client.CoreV1().Services("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list the services: %w", err)
	}
	taken := map[string]bool{}
	var pending []corev1.Service
	for _, s := range list.Items {
		switch {
		case s.Spec.Type != corev1.ServiceTypeLoadBalancer:
		case len(s.Status.LoadBalancer.Ingress) == 0:
			pending = append(pending, s)
		default:
			taken[s.Status.LoadBalancer.Ingress[0].IP] = true
		}
	}
	for _, s := range pending {
		address, err := freeAddress(taken)
		if err != nil {
			return err
		}
		taken[address] = true
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address}}
		if _, err := client.CoreV1().Services(s.Namespace).UpdateStatus(ctx, &s, metav1.UpdateOptions{}); err != nil {
			return fmt.Errorf("write the address of %s/%s: %w", s.Namespace, s.Name, err)
		}
		logger.Printf("%s/%s has the load balancer %s", s.Namespace, s.Name, address)
	}
	return syncAddresses(taken)
}

func freeAddress(taken map[string]bool) (string, error) {
	for i := 10; i < 250; i++ {
		if address := fmt.Sprintf("%s%d", loadBalancers, i); !taken[address] {
			return address, nil
		}
	}
	return "", fmt.Errorf("all 240 load balancer addresses are taken")
}

// syncAddresses makes the node answer for exactly these load balancers.
func syncAddresses(want map[string]bool) error {
	iface, err := net.InterfaceByName(Bridge)
	if err != nil {
		return fmt.Errorf("find %s: %w", Bridge, err)
	}
	addresses, err := iface.Addrs()
	if err != nil {
		return fmt.Errorf("list the addresses of %s: %w", Bridge, err)
	}
	have := map[string]bool{}
	for _, a := range addresses {
		if ip, _, err := net.ParseCIDR(a.String()); err == nil && strings.HasPrefix(ip.String(), loadBalancers) {
			have[ip.String()] = true
		}
	}
	change := func(verb, address string) error {
		out, err := exec.Command("ip", "addr", verb, address+"/32", "dev", Bridge).CombinedOutput()
		if err != nil {
			return fmt.Errorf("ip addr %s %s: %w: %s", verb, address, err, out)
		}
		return nil
	}
	for address := range want {
		if !have[address] {
			if err := change("add", address); err != nil {
				return err
			}
		}
	}
	for address := range have {
		if !want[address] {
			if err := change("del", address); err != nil {
				return err
			}
		}
	}
	return nil
}
