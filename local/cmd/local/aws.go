package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/uuid"
	clientauthentication "k8s.io/client-go/pkg/apis/clientauthentication/v1beta1"

	"threetier/local/internal/home"
)

// awsCalls are the commands of the AWS CLI that the local node knows. Their answer is JSON, with the fields that the
// project's scripts read.
var awsCalls = map[string]func(h home.Home, flags map[string]string) (any, error){
	"backup start-backup-job":    startBackup,
	"cloudwatch describe-alarms": describeAlarms,
	"eks get-token":              getToken,
	"logs delete-log-group":      deleteLogGroup,
	"rds create-db-snapshot":     createSnapshot,
	"rds describe-db-instances":  describeInstances,
	"rds describe-db-snapshots":  describeSnapshots,
	"rds reboot-db-instance":     rebootInstance,
}

func awsCommand(args []string) error {
	words, flags := awsArguments(args)
	call, known := awsCalls[strings.Join(words, " ")]
	if !known {
		names := make([]string, 0, len(awsCalls))
		for name := range awsCalls {
			names = append(names, "aws "+name)
		}
		slices.Sort(names)
		return fmt.Errorf("aws %q is not known to the local node, want %s", words, strings.Join(names, ", "))
	}
	if output := flags["output"]; output != "" && output != "json" {
		return fmt.Errorf("--output is %s, want json: the local node knows no other", output)
	}
	if _, given := flags["query"]; given {
		return errors.New("--query is given, want none: the local node knows no JMESPath")
	}
	h, err := home.Find()
	if err != nil {
		return err
	}
	answer, err := call(h, flags)
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(os.Stdout)
	encoder.SetIndent("", "    ")
	return encoder.Encode(answer)
}

// awsArguments are a command's words and its options, each of which has a value.
func awsArguments(args []string) (words []string, flags map[string]string) {
	flags = map[string]string{}
	for i := 0; i < len(args); i++ {
		name, isFlag := strings.CutPrefix(args[i], "--")
		switch {
		case !isFlag:
			words = append(words, args[i])
		case i+1 < len(args):
			i++
			flags[name] = args[i]
		default:
			flags[name] = ""
		}
	}
	return words, flags
}

// getToken answers with a token that the local API server accepts.
func getToken(h home.Home, _ map[string]string) (any, error) {
	token, err := os.ReadFile(h.Path("node", "token"))
	if err != nil {
		return nil, fmt.Errorf("read the cluster's token: %w", err)
	}
	expires := metav1.NewTime(time.Now().Add(14 * time.Minute))
	return clientauthentication.ExecCredential{
		TypeMeta: metav1.TypeMeta{APIVersion: "client.authentication.k8s.io/v1beta1", Kind: "ExecCredential"},
		Status:   &clientauthentication.ExecCredentialStatus{Token: string(token), ExpirationTimestamp: &expires},
	}, nil
}

// dbSnapshot has the fields of RDS's own answer that the scripts read.
type dbSnapshot struct {
	Identifier string    `json:"DBSnapshotIdentifier"`
	Instance   string    `json:"DBInstanceIdentifier"`
	Created    time.Time `json:"SnapshotCreateTime"`
	Status     string    `json:"Status"`
	Type       string    `json:"SnapshotType"`
}

func describeSnapshots(h home.Home, flags map[string]string) (any, error) {
	var all []struct {
		Identifier, Source, Status, Type string
		Created                          time.Time
	}
	if err := askAccount(h, http.MethodGet, "/snapshots", nil, &all); err != nil {
		return nil, err
	}
	found := []dbSnapshot{}
	instance, snapshot := flags["db-instance-identifier"], flags["db-snapshot-identifier"]
	for _, s := range all {
		// RDS lists those of AWS Backup for who asks for them.
		if asked := flags["snapshot-type"]; asked != s.Type && (asked != "" || s.Type == "awsbackup") {
			continue
		}
		if (instance == "" || s.Source == instance) && (snapshot == "" || s.Identifier == snapshot) {
			found = append(found, dbSnapshot{s.Identifier, s.Source, s.Created, s.Status, s.Type})
		}
	}
	if snapshot != "" && len(found) == 0 {
		return nil, fmt.Errorf("DBSnapshotNotFound: DBSnapshot %s not found", snapshot)
	}
	return map[string]any{"DBSnapshots": found}, nil
}

func createSnapshot(h home.Home, flags map[string]string) (any, error) {
	name := flags["db-snapshot-identifier"]
	path := "/instances/" + url.PathEscape(flags["db-instance-identifier"]) + "/snapshots"
	inputs := map[string]any{"inputs": map[string]string{"snapshotIdentifier": name}}
	if err := askAccount(h, http.MethodPost, path, inputs, nil); err != nil {
		return nil, err
	}
	all, err := describeSnapshots(h, map[string]string{"db-snapshot-identifier": name})
	if err != nil {
		return nil, err
	}
	return map[string]any{"DBSnapshot": all.(map[string]any)["DBSnapshots"].([]dbSnapshot)[0]}, nil
}

// startBackup is what a backup plan does once a day, done once. It ends with the job.
func startBackup(h home.Home, flags map[string]string) (any, error) {
	job := string(uuid.NewUUID())
	of := flags["resource-arn"]
	inputs := map[string]any{"inputs": map[string]string{"job": job}}
	if err := askAccount(h, http.MethodPost, "/instances/"+url.PathEscape(of[strings.LastIndex(of, ":")+1:])+"/backups", inputs, nil); err != nil {
		return nil, err
	}
	return map[string]any{"BackupJobId": job}, nil
}

// dbInstance has the fields of RDS's own answer that the scripts read.
type dbInstance struct {
	Identifier string         `json:"DBInstanceIdentifier"`
	Status     string         `json:"DBInstanceStatus"`
	Class      string         `json:"DBInstanceClass"`
	Version    string         `json:"EngineVersion"`
	Storage    float64        `json:"AllocatedStorage"`
	MultiAZ    bool           `json:"MultiAZ"`
	Pending    map[string]any `json:"PendingModifiedValues"`
	Groups     []dbGroup      `json:"DBParameterGroups"`
	Replicas   []string       `json:"ReadReplicaDBInstanceIdentifiers"`
}

type dbGroup struct {
	Name   string `json:"DBParameterGroupName"`
	Status string `json:"ParameterApplyStatus"`
}

// rebootInstance ends when the instance takes connections again, where RDS ends before.
func rebootInstance(h home.Home, flags map[string]string) (any, error) {
	name := flags["db-instance-identifier"]
	if err := askAccount(h, http.MethodPost, "/instances/"+url.PathEscape(name)+"/reboot", nil, nil); err != nil {
		return nil, err
	}
	all, err := describeInstances(h, map[string]string{"db-instance-identifier": name})
	if err != nil {
		return nil, err
	}
	return map[string]any{"DBInstance": all.(map[string]any)["DBInstances"].([]dbInstance)[0]}, nil
}

func describeInstances(h home.Home, flags map[string]string) (any, error) {
	var all []struct {
		Identifier, Status string
		Pending            map[string]any
		PendingReboot      bool
	}
	if err := askAccount(h, http.MethodGet, "/instances", nil, &all); err != nil {
		return nil, err
	}
	found := []dbInstance{}
	wanted := flags["db-instance-identifier"]
	for _, i := range all {
		if wanted != "" && i.Identifier != wanted {
			continue
		}
		var has struct {
			Outputs struct {
				InstanceClass       string
				EngineVersionActual string
				AllocatedStorage    float64
				MultiAz             bool
				ParameterGroupName  string
				Replicas            []string
			}
		}
		if err := askAccount(h, http.MethodGet, "/resources/rds/instance?id="+url.QueryEscape(i.Identifier), nil, &has); err != nil {
			return nil, err
		}
		o := has.Outputs
		status := "in-sync"
		if i.PendingReboot {
			status = "pending-reboot"
		}
		found = append(found, dbInstance{i.Identifier, i.Status, o.InstanceClass, o.EngineVersionActual, o.AllocatedStorage, o.MultiAz, i.Pending,
			[]dbGroup{{o.ParameterGroupName, status}}, o.Replicas})
	}
	if wanted != "" && len(found) == 0 {
		return nil, fmt.Errorf("DBInstanceNotFound: DBInstance %s not found", wanted)
	}
	return map[string]any{"DBInstances": found}, nil
}

// describeAlarms knows the alarms, and that nothing measures here: their state is that of new ones.
func describeAlarms(h home.Home, flags map[string]string) (any, error) {
	var names []string
	if err := json.Unmarshal([]byte(flags["alarm-names"]), &names); err != nil {
		return nil, fmt.Errorf("--alarm-names is %s, want a JSON list: the local node knows no other form", flags["alarm-names"])
	}
	type metricAlarm struct {
		Name   string `json:"AlarmName"`
		State  string `json:"StateValue"`
		Reason string `json:"StateReason"`
	}
	found := []metricAlarm{}
	for _, name := range names {
		if err := askAccount(h, http.MethodGet, "/resources/cloudwatch/metricAlarm?id="+url.QueryEscape(name), nil, nil); err != nil {
			if strings.HasPrefix(err.Error(), "NotFound: ") {
				continue // as CloudWatch does
			}
			return nil, err
		}
		found = append(found, metricAlarm{name, "INSUFFICIENT_DATA", "Unchecked: Initial alarm creation"})
	}
	return map[string]any{"MetricAlarms": found}, nil
}

func deleteLogGroup(h home.Home, flags map[string]string) (any, error) {
	err := askAccount(h, http.MethodDelete, "/resources/cloudwatch/logGroup?id="+url.QueryEscape(flags["log-group-name"]), nil, nil)
	if err != nil && strings.HasPrefix(err.Error(), "NotFound: ") {
		return nil, errors.New("ResourceNotFoundException: the log group does not exist")
	}
	return nil, err
}

// askAccount is a call to the account at the door that looks after it.
func askAccount(h home.Home, method, path string, body, into any) error {
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", h.Path("run", "account.sock"))
	}}}
	var sent io.Reader
	if body != nil {
		data, err := json.Marshal(body)
		if err != nil {
			return err
		}
		sent = bytes.NewReader(data)
	}
	request, err := http.NewRequestWithContext(context.Background(), method, "http://account"+path, sent)
	if err != nil {
		return err
	}
	answer, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("reach the local AWS account: %w", err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		var refusal struct {
			Error struct{ Code, Message string }
		}
		if err := json.NewDecoder(answer.Body).Decode(&refusal); err != nil {
			return fmt.Errorf("ask the local AWS account for %s: %s", path, answer.Status)
		}
		return fmt.Errorf("%s: %s", refusal.Error.Code, refusal.Error.Message)
	}
	if into == nil {
		return nil
	}
	if err := json.NewDecoder(answer.Body).Decode(into); err != nil {
		return fmt.Errorf("read the local AWS account's answer: %w", err)
	}
	return nil
}
