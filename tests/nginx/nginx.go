// Package nginx runs rendered configs in a real nginx on loopback.
package nginx

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Command is nginx as its image has it: Debian 13's. Only root can run that on another release; everyone else runs the
// machine's own.
func Command(args ...string) *exec.Cmd {
	if os.Getuid() != 0 {
		return exec.Command("/usr/sbin/nginx", args...)
	}
	_, here, _, _ := runtime.Caller(0)
	return exec.Command(filepath.Join(filepath.Dir(here), "../../bin/trixie"), append([]string{"/usr/sbin/nginx"}, args...)...)
}

// Server is a running nginx.
type Server struct {
	// URL is where the load balancer's plain traffic comes, TLSURL where what came through its TLS does.
	URL, TLSURL string

	process *exec.Cmd
}

// The ports of a pod: the load balancer's plain traffic comes to one, its TLS traffic to the other.
const (
	plainPort = 8080
	tlsPort   = 8081
)

// Localize makes a config for a pod one for this machine: two ports on loopback, and files below dir.
func Localize(config, dir string, plain, tls int) string {
	config = strings.NewReplacer(
		fmt.Sprintf("listen %d", plainPort), fmt.Sprintf("listen 127.0.0.1:%d", plain),
		fmt.Sprintf("listen %d", tlsPort), fmt.Sprintf("listen 127.0.0.1:%d", tls),
		fmt.Sprintf("listen [::]:%d", plainPort), fmt.Sprintf("listen [::1]:%d", plain),
		fmt.Sprintf("listen [::]:%d", tlsPort), fmt.Sprintf("listen [::1]:%d", tls),
		// Where the port says the scheme.
		fmt.Sprintf(" %d ", tlsPort), fmt.Sprintf(" %d ", tls),
		" /tmp/", " "+dir+"/",
	).Replace(config)
	if os.Getuid() == 0 {
		// Workers of another user couldn't write below a test's own folder.
		config = "user root;\n" + config
	}
	listener, err := net.Listen("tcp", "[::1]:0")
	if err != nil {
		return ipv6Line.ReplaceAllString(config, "")
	}
	_ = listener.Close()
	return config
}

var ipv6Line = regexp.MustCompile(`(?m)^ *listen \[::1\].*\n`)

// Test is `nginx -t`: nil, or an error with what nginx says.
func Test(config, dir string) error {
	file, err := write(Localize(config, dir, 8080, 8081), dir)
	if err != nil {
		return err
	}
	said, err := Command("-t", "-q", "-e", "stderr", "-c", file).CombinedOutput()
	if err != nil || len(said) > 0 {
		return fmt.Errorf("nginx -t: %w\n%s", errors.Join(err, errors.New("a valid config is silent")), said)
	}
	return nil
}

// Start runs nginx until Stop; its log goes to log.
func Start(config, dir string, log io.Writer) (*Server, error) {
	port, tls, err := freePorts()
	if err != nil {
		return nil, err
	}
	file, err := write(Localize(config, dir, port, tls), dir)
	if err != nil {
		return nil, err
	}
	s := &Server{
		URL:     fmt.Sprintf("http://127.0.0.1:%d", port),
		TLSURL:  fmt.Sprintf("http://127.0.0.1:%d", tls),
		process: Command("-e", "stderr", "-c", file),
	}
	s.process.Stdout, s.process.Stderr = log, log
	if err := s.process.Start(); err != nil {
		return nil, fmt.Errorf("start nginx: %w", err)
	}
	if err := waitFor(port); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// Stop ends nginx as Kubernetes would, and waits for it.
func (s *Server) Stop() error {
	if err := s.process.Process.Signal(syscall.SIGQUIT); err != nil {
		return fmt.Errorf("stop nginx: %w", err)
	}
	forced := time.AfterFunc(10*time.Second, func() { _ = s.process.Process.Kill() })
	defer forced.Stop()
	return s.process.Wait()
}

// PID is the master process's.
func (s *Server) PID() int { return s.process.Process.Pid }

func write(config, dir string) (string, error) {
	// What a pod with sticky routes finds at its start.
	resolvers := filepath.Join(dir, "resolver.conf")
	if _, err := os.Stat(resolvers); err != nil {
		if err := os.WriteFile(resolvers, []byte("resolver 127.0.0.1;\nmap \"\" $pods_domain { default test; }\n"), 0o600); err != nil {
			return "", err
		}
	}
	file := filepath.Join(dir, "nginx.conf")
	return file, os.WriteFile(file, []byte(config), 0o600)
}

func freePorts() (int, int, error) {
	var ports [2]int
	for i := range ports {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return 0, 0, fmt.Errorf("find a free port: %w", err)
		}
		defer listener.Close()
		ports[i] = listener.Addr().(*net.TCPAddr).Port
	}
	return ports[0], ports[1], nil
}

func waitFor(port int) error {
	address := net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); {
		if connection, err := net.DialTimeout("tcp", address, time.Second); err == nil {
			return connection.Close()
		}
		time.Sleep(10 * time.Millisecond)
	}
	return fmt.Errorf("nginx doesn't listen on %s after 5 s", address)
}
