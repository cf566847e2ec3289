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
	"k8s.io/client-go/tools/cache"

	"threetier/local/internal/account"
)

// balanceLoad is the cloud's load balancer controller: every Service of type
// LoadBalancer, whatever its class, gets an address on the node, and kube-proxy
// does the rest. Where a Service names certificates, the load balancer is one that
// ends TLS, and kube-proxy leaves its address alone. Everything that it needs to know
// stands in the Services themselves.
func (n *node) balanceLoad(ctx context.Context) error {
	defer n.balancers.close()
	client := n.client
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
		if err := n.reconcileLoadBalancers(ctx); err != nil && ctx.Err() == nil {
			logger.Printf("load balancers: %v", err)
			time.AfterFunc(time.Second, notify)
		}
	}
}

// reconcileLoadBalancers gives an address to each Service that wants one, and takes back those that nobody has.
func (n *node) reconcileLoadBalancers(ctx context.Context) error {
	list, err := n.client.CoreV1().Services("").List(ctx, metav1.ListOptions{})
	if err != nil {
		return fmt.Errorf("list the services: %w", err)
	}
	taken := map[string]bool{}
	var pending, balanced []corev1.Service
	for _, s := range list.Items {
		switch {
		case s.Spec.Type != corev1.ServiceTypeLoadBalancer:
		case len(s.Status.LoadBalancer.Ingress) == 0:
			pending = append(pending, s)
		default:
			taken[s.Status.LoadBalancer.Ingress[0].IP] = true
			balanced = append(balanced, s)
		}
	}
	for _, s := range pending {
		address, err := freeAddress(taken)
		if err != nil {
			return err
		}
		taken[address] = true
		s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: address}}
		logger.Printf("%s/%s has the load balancer %s", s.Namespace, s.Name, address)
		balanced = append(balanced, s)
	}
	if err := syncAddresses(taken); err != nil {
		return err
	}
	if err := n.balancers.sync(ctx, listenersOf(balanced)); err != nil {
		return err
	}
	for _, s := range balanced {
		if err := n.writeStatus(ctx, s); err != nil {
			return fmt.Errorf("write the address of %s/%s: %w", s.Namespace, s.Name, err)
		}
	}
	return nil
}

// writeStatus tells kube-proxy too whether the address is its own matter.
func (n *node) writeStatus(ctx context.Context, s corev1.Service) error {
	mode := corev1.LoadBalancerIPModeVIP
	if endsTLS(s) {
		mode = corev1.LoadBalancerIPModeProxy
	}
	ingress := &s.Status.LoadBalancer.Ingress[0]
	name := account.LoadBalancerName(ingress.IP)
	if ingress.IPMode != nil && *ingress.IPMode == mode && ingress.Hostname == name {
		return nil
	}
	ingress.IPMode, ingress.Hostname = &mode, name
	_, err := n.client.CoreV1().Services(s.Namespace).UpdateStatus(ctx, &s, metav1.UpdateOptions{})
	return err
}

// allAddresses are those that load balancers may have.
func allAddresses() []string {
	var all []string
	for i := 10; i < 250; i++ {
		all = append(all, fmt.Sprintf("%s%d", loadBalancers, i))
	}
	return all
}

func freeAddress(taken map[string]bool) (string, error) {
	for _, address := range allAddresses() {
		if !taken[address] {
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
