package account

import (
	"encoding/base64"
	"net/netip"
	"os"
	"slices"
	"strings"

	"threetier/local/internal/account/recorded"
	"threetier/local/internal/account/state"
)

// The kinds of a platform: a network, a cluster and what is around them. Nothing of it runs but the node's own cluster, which
// answers under the name that was created.
const (
	kindVPC         = "ec2/vpc"
	kindSubnet      = "ec2/subnet"
	kindInternet    = "ec2/internetGateway"
	kindAddress     = "ec2/eip"
	kindNAT         = "ec2/natGateway"
	kindTable       = "ec2/routeTable"
	kindRoute       = "ec2/route"
	kindAssociation = "ec2/routeTableAssociation"
	kindEndpoint    = "ec2/vpcEndpoint"
	kindFlowLog     = "ec2/flowLog"
	kindCluster     = "eks/cluster"
	kindAddon       = "eks/addon"
	kindEntry       = "eks/accessEntry"
	kindEntryPolicy = "eks/accessPolicyAssociation"
	kindRepository  = "ecr/repository"
	kindLifecycle   = "ecr/lifecyclePolicy"
	kindProvider    = "iam/openIdConnectProvider"
	kindPolicy      = "iam/policy"
	kindTopic       = "sns/topic"
	kindTopicPolicy = "sns/topicPolicy"
	kindSubscriber  = "sns/topicSubscription"
	kindBudget      = "budgets/budget"
)

func (a *Account) platform() map[string]state.Kind {
	kind := func(name string, create func(*Account, *state.Call) (*state.Record, error), remove ...func(*Account, *state.Call, *state.Record) error) state.Kind {
		if len(remove) == 0 {
			return state.NewKind(a, name, create)
		}
		return state.NewKind(a, name, create, nil, remove[0])
	}
	return map[string]state.Kind{
		kindVPC: kind("", createVPC, removeVPC), kindSubnet: kind("", createSubnet, removeSubnet),
		kindInternet: kind("", createInternet, removeInternet), kindAddress: kind("", createAddress, removeAddress), kindNAT: kind("", createNAT),
		kindTable: kind("", createTable, removeTable), kindRoute: kind("", createRoute), kindAssociation: kind("", createTableAssociation),
		kindEndpoint: kind("", createEndpoint), kindFlowLog: kind("", createFlowLog),
		kindCluster: kind("name", createCluster), kindAddon: kind("", createAddon), kindEntry: kind("", createEntry), kindEntryPolicy: kind("", createEntryPolicy),
		kindRepository: kind("name", createRepository), kindLifecycle: kind("", createLifecycle),
		kindProvider: kind("url", createProvider), kindPolicy: kind("name", createPolicy, removePolicy),
		kindTopic: kind("name", createTopic), kindTopicPolicy: kind("", ofTopic(kindTopicPolicy, "arn")), kindSubscriber: kind("", ofTopic(kindSubscriber, "topic")),
		kindBudget: kind("name", createBudget),
	}
}

// inVPC is a record of EC2, in a VPC that is there.
func (a *Account) inVPC(c *state.Call, kind, prefix, resource string) (*state.Record, error) {
	if vpc := state.Text(c.Inputs, "vpcId"); a.Store.Get(kindVPC, vpc) == nil {
		return nil, state.Refuse("InvalidVpcID.NotFound", "The vpc ID '%s' does not exist", vpc)
	}
	return ec2(c, kind, prefix, resource), nil
}

func ec2(c *state.Call, kind, prefix, resource string) *state.Record {
	rec := c.Record(kind, state.HexID(prefix))
	rec.Outputs = map[string]any{"arn": state.ARN("ec2", c.Region, resource+"/"+rec.ID)}
	return rec
}

// users are the records of a kind that name a value.
func (a *Account) users(kind, input, value string) bool {
	return a.Store.Find(kind, input, value) != nil
}

func createVPC(_ *Account, c *state.Call) (*state.Record, error) {
	block, err := netip.ParsePrefix(state.Text(c.Inputs, "cidrBlock"))
	if err != nil || block.Bits() < 16 || block.Bits() > 28 {
		return nil, state.Refuse("InvalidVpc.Range", "The CIDR '%s' is invalid.", state.Text(c.Inputs, "cidrBlock"))
	}
	return ec2(c, kindVPC, "vpc", "vpc"), nil
}

func removeVPC(a *Account, _ *state.Call, rec *state.Record) error {
	for _, kind := range []string{kindSubnet, kindInternet, kindTable, kindEndpoint, recorded.KindSecurityGroup} {
		if a.users(kind, "vpcId", rec.ID) {
			return state.Refuse("DependencyViolation", "The vpc '%s' has dependencies and cannot be deleted.", rec.ID)
		}
	}
	return nil
}

func createSubnet(a *Account, c *state.Call) (*state.Record, error) {
	rec, err := a.inVPC(c, kindSubnet, "subnet", "subnet")
	if err != nil {
		return nil, err
	}
	vpc, cidr := state.Text(c.Inputs, "vpcId"), state.Text(c.Inputs, "cidrBlock")
	block, err := netip.ParsePrefix(cidr)
	network := netip.MustParsePrefix(state.Text(a.Store.Get(kindVPC, vpc).Inputs, "cidrBlock"))
	if err != nil || block.Bits() < network.Bits() || !network.Contains(block.Addr()) {
		return nil, state.Refuse("InvalidSubnet.Range", "The CIDR '%s' is invalid.", cidr)
	}
	for _, other := range a.Store.All(kindSubnet) {
		if state.Text(other.Inputs, "vpcId") == vpc && block.Overlaps(netip.MustParsePrefix(state.Text(other.Inputs, "cidrBlock"))) {
			return nil, state.Refuse("InvalidSubnet.Conflict", "The CIDR '%s' conflicts with another subnet", cidr)
		}
	}
	if zone := state.Text(c.Inputs, "availabilityZone"); !strings.HasPrefix(zone, c.Region) || len(zone) != len(c.Region)+1 {
		return nil, state.Refuse("InvalidParameterValue", "Value (%s) for parameter availabilityZone is invalid.", zone)
	}
	return rec, nil
}

func removeSubnet(a *Account, _ *state.Call, rec *state.Record) error {
	inUse := a.users(kindNAT, "subnetId", rec.ID) || slices.ContainsFunc(a.Store.All(kindCluster), func(cluster *state.Record) bool {
		return slices.Contains(subnetsOf(cluster.Inputs), rec.ID)
	})
	if inUse {
		return state.Refuse("DependencyViolation", "The subnet '%s' has dependencies and cannot be deleted.", rec.ID)
	}
	return nil
}

func createInternet(a *Account, c *state.Call) (*state.Record, error) {
	if vpc := state.Text(c.Inputs, "vpcId"); a.users(kindInternet, "vpcId", vpc) {
		return nil, state.Refuse("Resource.AlreadyAssociated", "Network %s already has an internet gateway attached", vpc)
	}
	return a.inVPC(c, kindInternet, "igw", "internet-gateway")
}

func removeInternet(a *Account, _ *state.Call, rec *state.Record) error {
	for _, nat := range a.Store.All(kindNAT) {
		subnet := a.Store.Get(kindSubnet, state.Text(nat.Inputs, "subnetId"))
		if vpc := state.Text(rec.Inputs, "vpcId"); subnet != nil && state.Text(subnet.Inputs, "vpcId") == vpc {
			return state.Refuse("DependencyViolation", "Network %s has some mapped public address(es). Please unmap those public address(es) before detaching the gateway.", vpc)
		}
	}
	return nil
}

func createAddress(_ *Account, c *state.Call) (*state.Record, error) {
	rec := ec2(c, kindAddress, "eipalloc", "elastic-ip")
	rec.Outputs["publicIp"] = "203.0.113.1"
	return rec, nil
}

func removeAddress(a *Account, _ *state.Call, rec *state.Record) error {
	if a.users(kindNAT, "allocationId", rec.ID) {
		return state.Refuse("InvalidIPAddress.InUse", "Address %s is in use.", rec.ID)
	}
	return nil
}

func createNAT(a *Account, c *state.Call) (*state.Record, error) {
	subnet, address := state.Text(c.Inputs, "subnetId"), state.Text(c.Inputs, "allocationId")
	switch {
	case a.Store.Get(kindSubnet, subnet) == nil:
		return nil, state.Refuse("InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", subnet)
	case a.Store.Get(kindAddress, address) == nil:
		return nil, state.Refuse("InvalidAllocationID.NotFound", "The allocation ID '%s' does not exist", address)
	case a.users(kindNAT, "allocationId", address):
		return nil, state.Refuse("Resource.AlreadyAssociated", "Elastic IP address [%s] is already associated", address)
	case !a.users(kindInternet, "vpcId", state.Text(a.Store.Get(kindSubnet, subnet).Inputs, "vpcId")):
		return nil, state.Refuse("Gateway.NotAttached", "Network %s has no Internet gateway attached", state.Text(a.Store.Get(kindSubnet, subnet).Inputs, "vpcId"))
	}
	return ec2(c, kindNAT, "nat", "natgateway"), nil
}

func createTable(a *Account, c *state.Call) (*state.Record, error) {
	return a.inVPC(c, kindTable, "rtb", "route-table")
}

func removeTable(a *Account, _ *state.Call, rec *state.Record) error {
	if a.users(kindAssociation, "routeTableId", rec.ID) {
		return state.Refuse("DependencyViolation", "The routeTable '%s' has dependencies and cannot be deleted.", rec.ID)
	}
	return nil
}

func createRoute(a *Account, c *state.Call) (*state.Record, error) {
	table, gateway, nat := state.Text(c.Inputs, "routeTableId"), state.Text(c.Inputs, "gatewayId"), state.Text(c.Inputs, "natGatewayId")
	switch {
	case a.Store.Get(kindTable, table) == nil:
		return nil, state.Refuse("InvalidRouteTableID.NotFound", "The routeTable ID '%s' does not exist", table)
	case (gateway == "") == (nat == ""):
		return nil, state.Refuse("InvalidParameterCombination", "exactly one of gatewayId, natGatewayId must be given")
	case gateway != "" && a.Store.Get(kindInternet, gateway) == nil:
		return nil, state.Refuse("InvalidInternetGatewayID.NotFound", "The internetGateway ID '%s' does not exist", gateway)
	case nat != "" && a.Store.Get(kindNAT, nat) == nil:
		return nil, state.Refuse("InvalidNatGatewayID.NotFound", "The natGateway ID '%s' does not exist", nat)
	case a.users(kindRoute, "routeTableId", table):
		return nil, state.Refuse("RouteAlreadyExists", "The route identified by %s already exists.", state.Text(c.Inputs, "destinationCidrBlock"))
	}
	return c.Record(kindRoute, "r-"+table), nil
}

func createTableAssociation(a *Account, c *state.Call) (*state.Record, error) {
	table, subnet := state.Text(c.Inputs, "routeTableId"), state.Text(c.Inputs, "subnetId")
	switch {
	case a.Store.Get(kindTable, table) == nil:
		return nil, state.Refuse("InvalidRouteTableID.NotFound", "The routeTable ID '%s' does not exist", table)
	case a.Store.Get(kindSubnet, subnet) == nil:
		return nil, state.Refuse("InvalidSubnetID.NotFound", "The subnet ID '%s' does not exist", subnet)
	case a.users(kindAssociation, "subnetId", subnet):
		return nil, state.Refuse("Resource.AlreadyAssociated", "the specified association for route table %s conflicts with an existing association", table)
	}
	return c.Record(kindAssociation, state.HexID("rtbassoc")), nil
}

func createEndpoint(a *Account, c *state.Call) (*state.Record, error) {
	return a.inVPC(c, kindEndpoint, "vpce", "vpc-endpoint")
}

func createFlowLog(a *Account, c *state.Call) (*state.Record, error) {
	return a.inVPC(c, kindFlowLog, "fl", "vpc-flow-log")
}

func subnetsOf(inputs map[string]any) []string {
	network, _ := inputs["vpcConfig"].(map[string]any)
	return state.List(network, "subnetIds")
}

// on tells whether a part of Auto Mode is switched on.
func on(inputs map[string]any, path ...string) bool {
	for _, key := range path {
		inputs, _ = inputs[key].(map[string]any)
	}
	return state.Truth(inputs, "enabled")
}

func createCluster(a *Account, c *state.Call) (*state.Record, error) {
	name, zones := state.Text(c.Inputs, "name"), map[string]bool{}
	if a.Store.Get(kindCluster, name) != nil {
		return nil, state.Refuse("ResourceInUseException", "Cluster already exists with name: %s", name)
	}
	for _, id := range subnetsOf(c.Inputs) {
		subnet := a.Store.Get(kindSubnet, id)
		if subnet == nil {
			return nil, state.Refuse("InvalidParameterException", "The subnet ID '%s' does not exist", id)
		}
		zones[state.Text(subnet.Inputs, "availabilityZone")] = true
	}
	if len(zones) < 2 {
		return nil, state.Refuse("InvalidParameterException", "Subnets specified must be in at least two different AZs")
	}
	compute := on(c.Inputs, "computeConfig")
	if compute != on(c.Inputs, "kubernetesNetworkConfig", "elasticLoadBalancing") || compute != on(c.Inputs, "storageConfig", "blockStorage") {
		return nil, state.Refuse("InvalidParameterException", "For EKS Auto Mode, please ensure that all required configs, including computeConfig, kubernetesNetworkConfig, and blockStorage are all either fully enabled or fully disabled.")
	}
	if _, role, _ := strings.Cut(state.Text(c.Inputs, "roleArn"), ":role/"); a.Store.Get(recorded.KindRole, role) == nil {
		return nil, state.Refuse("InvalidParameterException", "roleArn, %s, does not exist", state.Text(c.Inputs, "roleArn"))
	}
	ca, err := os.ReadFile(a.cfg.ClusterCAFile)
	if err != nil || a.cfg.ClusterEndpoint == "" {
		return nil, state.Refuse("ServiceUnavailableException", "the node has no cluster yet")
	}
	rec := c.Record(kindCluster, name)
	rec.Outputs = map[string]any{"arn": state.ARN("eks", c.Region, "cluster/"+name), "endpoint": a.cfg.ClusterEndpoint, "status": "ACTIVE",
		"certificateAuthority": map[string]any{"data": base64.StdEncoding.EncodeToString(ca)}}
	return rec, nil
}

// inCluster is a record of a cluster that is there.
func (a *Account) inCluster(c *state.Call, kind, id, resource string) (*state.Record, error) {
	cluster := state.Text(c.Inputs, "clusterName")
	if a.Store.Get(kindCluster, cluster) == nil {
		return nil, state.Refuse("ResourceNotFoundException", "No cluster found for name: %s.", cluster)
	}
	rec := c.Record(kind, cluster+":"+id)
	if a.Store.Get(kind, rec.ID) != nil {
		return nil, state.Refuse("ResourceInUseException", "The specified %s resource is already in use on this cluster.", resource)
	}
	rec.Outputs = map[string]any{"arn": state.ARN("eks", c.Region, resource+"/"+cluster+"/"+id)}
	return rec, nil
}

func createAddon(a *Account, c *state.Call) (*state.Record, error) {
	return a.inCluster(c, kindAddon, state.Text(c.Inputs, "addonName"), "addon")
}

func createEntry(a *Account, c *state.Call) (*state.Record, error) {
	rec, err := a.inCluster(c, kindEntry, state.Text(c.Inputs, "principalArn"), "access-entry")
	if err == nil {
		rec.Outputs = map[string]any{"accessEntryArn": rec.Outputs["arn"], "type": "STANDARD"}
	}
	return rec, err
}

func createEntryPolicy(a *Account, c *state.Call) (*state.Record, error) {
	principal := state.Text(c.Inputs, "principalArn")
	if a.Store.Get(kindEntry, state.Text(c.Inputs, "clusterName")+":"+principal) == nil {
		return nil, state.Refuse("ResourceNotFoundException", "The specified principalArn could not be found: %s", principal)
	}
	rec, err := a.inCluster(c, kindEntryPolicy, principal+"#"+state.Text(c.Inputs, "policyArn"), "access-policy")
	if err == nil {
		rec.Outputs = nil
	}
	return rec, err
}

func createRepository(a *Account, c *state.Call) (*state.Record, error) {
	name := state.Text(c.Inputs, "name")
	if a.Store.Get(kindRepository, name) != nil {
		return nil, state.Refuse("RepositoryAlreadyExistsException", "The repository with name '%s' already exists in the registry with id '%s'", name, state.ID)
	}
	rec := c.Record(kindRepository, name)
	rec.Outputs = map[string]any{"arn": state.ARN("ecr", c.Region, "repository/"+name), "registryId": state.ID,
		"repositoryUrl": state.ID + ".dkr.ecr." + c.Region + ".amazonaws.com/" + name}
	return rec, nil
}

func createLifecycle(a *Account, c *state.Call) (*state.Record, error) {
	repository := state.Text(c.Inputs, "repository")
	if a.Store.Get(kindRepository, repository) == nil {
		return nil, state.Refuse("RepositoryNotFoundException", "The repository with name '%s' does not exist in the registry with id '%s'", repository, state.ID)
	}
	return c.Record(kindLifecycle, repository), nil
}

func createProvider(a *Account, c *state.Call) (*state.Record, error) {
	url := state.Text(c.Inputs, "url")
	if a.users(kindProvider, "url", url) {
		return nil, state.Refuse("EntityAlreadyExists", "Provider with url %s already exists.", url)
	}
	rec := c.Record(kindProvider, "arn:aws:iam::"+state.ID+":oidc-provider/"+strings.TrimPrefix(url, "https://"))
	rec.Outputs = map[string]any{"arn": rec.ID}
	return rec, nil
}

func createPolicy(a *Account, c *state.Call) (*state.Record, error) {
	rec := c.Record(kindPolicy, "arn:aws:iam::"+state.ID+":policy/"+state.Text(c.Inputs, "name"))
	if a.Store.Get(kindPolicy, rec.ID) != nil {
		return nil, state.Refuse("EntityAlreadyExists", "A policy called %s already exists. Duplicate names are not allowed.", state.Text(c.Inputs, "name"))
	}
	rec.Outputs = map[string]any{"arn": rec.ID}
	return rec, nil
}

func removePolicy(a *Account, _ *state.Call, rec *state.Record) error {
	if a.users(recorded.KindAttachment, "policyArn", rec.ID) {
		return state.Refuse("DeleteConflict", "Cannot delete a policy attached to entities.")
	}
	return nil
}

func createTopic(a *Account, c *state.Call) (*state.Record, error) {
	name := state.Text(c.Inputs, "name")
	if a.users(kindTopic, "name", name) {
		return nil, state.Refuse("InvalidParameter", "Invalid parameter: Attributes Reason: Topic already exists with different attributes: %s", name)
	}
	rec := c.Record(kindTopic, state.ARN("sns", c.Region, name))
	rec.Outputs = map[string]any{"arn": rec.ID}
	return rec, nil
}

// ofTopic is a record of a topic that is there, which the input names.
func ofTopic(kind, input string) func(*Account, *state.Call) (*state.Record, error) {
	return func(a *Account, c *state.Call) (*state.Record, error) {
		topic := state.Text(c.Inputs, input)
		if a.Store.Get(kindTopic, topic) == nil {
			return nil, state.Refuse("NotFound", "Topic does not exist: %s", topic)
		}
		rec := c.Record(kind, topic+":"+state.RandomUUID())
		rec.Outputs = map[string]any{"arn": rec.ID}
		if kind == kindTopicPolicy {
			rec.Outputs = nil // its arn is the topic's
		}
		return rec, nil
	}
}

func createBudget(a *Account, c *state.Call) (*state.Record, error) {
	name := state.Text(c.Inputs, "name")
	rec := c.Record(kindBudget, state.ID+":"+name)
	if a.Store.Get(kindBudget, rec.ID) != nil {
		return nil, state.Refuse("DuplicateRecordException", "Error creating budget: %s - the budget already exists.", name)
	}
	rec.Outputs = map[string]any{"arn": "arn:aws:budgets::" + state.ID + ":budget/" + name}
	return rec, nil
}
