package account

import (
	"encoding/base64"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"

	"threetier/local/internal/account/recorded"
	"threetier/local/internal/account/state"
)

// Lookups by service and name, beside those of RDS.
var lookups = map[string]func(*Account, *state.Call) (map[string]any, error){
	"eks.getCluster":                  getCluster,
	"eks.getAddon":                    getAddon,
	"ec2.getSubnets":                  getSubnets,
	"ec2.getSubnet":                   getSubnet,
	"ec2.getVpc":                      getVPC,
	"ec2.getRouteTables":              getRouteTables,
	"ec2.getRouteTable":               getRouteTable,
	"ec2.getSecurityGroup":            getSecurityGroup,
	"ec2.getInstances":                getNodes,
	"acm.getCertificate":              getCertificate,
	"route53.getZone":                 getZone,
	"lb.getHostedZoneId":              always(getBalancersZone),
	"secretsmanager.getSecretVersion": always(getForeignSecret),
	"ssm.getParameter":                always(getParameter),
	"getPartition":                    always(getPartition),
	"getCallerIdentity":               always(getCallerIdentity),
	"getRegion":                       always(getRegion),
}

func (a *Account) lookup(r *http.Request, c *state.Call) (*Response, error) {
	if find, ok := a.rds.Lookups()[r.PathValue("name")]; ok {
		outputs, err := find(c)
		return &Response{Outputs: outputs}, err
	}
	find, ok := lookups[r.PathValue("name")]
	if !ok {
		return nil, state.Refuse("UnknownLookup", "the stand-in for AWS doesn't know the lookup %s", r.PathValue("name"))
	}
	outputs, err := find(a, c)
	return &Response{Outputs: outputs}, err
}

// getCluster answers with the one local cluster, whatever the name.
func getCluster(a *Account, c *state.Call) (map[string]any, error) {
	name := state.Text(c.Inputs, "name")
	if name == "" {
		return nil, state.Refuse("InvalidParameterException", "a cluster name is required")
	}
	ca, err := os.ReadFile(a.cfg.ClusterCAFile)
	if err != nil || a.cfg.ClusterEndpoint == "" {
		return nil, state.Refuse("ResourceNotFoundException", "No cluster found for name: %s. (the node has none yet)", name)
	}
	ids := []string{}
	for _, s := range recorded.Subnets {
		if s.VPC == recorded.VPCID {
			ids = append(ids, s.ID)
		}
	}
	return map[string]any{
		"id": name, "clusterId": name, "name": name,
		"arn":                    state.ARN("eks", c.Region, "cluster/"+name),
		"endpoint":               a.cfg.ClusterEndpoint,
		"certificateAuthorities": []any{map[string]any{"data": base64.StdEncoding.EncodeToString(ca)}},
		"version":                "1.35",
		"platformVersion":        "eks.1",
		"status":                 "ACTIVE",
		"createdAt":              "2026-01-01T00:00:00Z",
		"roleArn":                "arn:aws:iam::" + state.ID + ":role/eks-cluster",
		"vpcConfig": map[string]any{
			"vpcId": recorded.VPCID, "subnetIds": ids, "clusterSecurityGroupId": recorded.ClusterSecurityGroupID,
			"securityGroupIds": []string{}, "endpointPrivateAccess": true, "endpointPublicAccess": true,
			"publicAccessCidrs": []string{"0.0.0.0/0"},
		},
		"kubernetesNetworkConfigs": []any{map[string]any{
			"ipFamily": "ipv4", "serviceIpv4Cidr": "172.20.0.0/16", "serviceIpv6Cidr": "",
			// The node's load balancer serves every class, that of Auto Mode too.
			"elasticLoadBalancings": []any{map[string]any{"enabled": true}},
		}},
		"accessConfigs":          []any{map[string]any{"authenticationMode": "API", "bootstrapClusterCreatorAdminPermissions": true}},
		"computeConfigs":         []any{},
		"enabledClusterLogTypes": []string{},
		"identities":             []any{},
		"outpostConfigs":         []any{},
		"remoteNetworkConfigs":   []any{},
		"storageConfigs":         []any{},
		"upgradePolicies":        []any{map[string]any{"supportType": "STANDARD"}},
		"zonalShiftConfigs":      []any{},
		"tags":                   map[string]any{},
	}, nil
}

// getAddon finds the one add-on that means something here: kube-router enforces network policies in its place.
func getAddon(_ *Account, c *state.Call) (map[string]any, error) {
	cluster, name := state.Text(c.Inputs, "clusterName"), state.Text(c.Inputs, "addonName")
	if name != "vpc-cni" {
		return nil, state.Refuse("ResourceNotFoundException", "reading EKS Add-On (%s:%s): couldn't find resource", cluster, name)
	}
	return map[string]any{
		"id": cluster + ":" + name, "clusterName": cluster, "addonName": name, "addonVersion": "v1.20.4-eksbuild.2",
		"arn":                 state.ARN("eks", c.Region, "addon/"+cluster+"/"+name+"/local"),
		"configurationValues": `{"enableNetworkPolicy":"true"}`,
		"createdAt":           "2026-01-01T00:00:00Z", "modifiedAt": "2026-01-01T00:00:00Z",
		"podIdentityAssociations": []any{}, "serviceAccountRoleArn": "", "tags": map[string]any{},
	}, nil
}

func subnetFilters(s recorded.Subnet, region string) map[string][]string {
	return map[string][]string{
		"vpc-id": {s.VPC}, "subnet-id": {s.ID}, "availability-zone": {region + s.Zone}, "cidr-block": {s.CIDR},
		"availabilityZone": {region + s.Zone}, "cidr": {s.CIDR}, "state": {"available"}, "default-for-az": {"false"},
		"map-public-ip-on-launch": {strconv.FormatBool(s.Public)}, "tag:Name": {s.Name}, roleTag(s): {"1"},
	}
}

// roleTag is what EKS wants on the subnets of load balancers.
func roleTag(s recorded.Subnet) string {
	if s.Public {
		return "tag:kubernetes.io/role/elb"
	}
	return "tag:kubernetes.io/role/internal-elb"
}

func matchingSubnets(c *state.Call) ([]recorded.Subnet, error) {
	var out []recorded.Subnet
	for _, s := range recorded.Subnets {
		ok, err := state.FilterBy(c, subnetFilters(s, c.Region))
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, s)
		}
	}
	return out, nil
}

func getSubnets(_ *Account, c *state.Call) (map[string]any, error) {
	found, err := matchingSubnets(c)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for _, s := range found {
		ids = append(ids, s.ID)
	}
	return map[string]any{"id": c.Region, "ids": ids, "filters": c.Inputs["filters"], "tags": state.TagsOf(c.Inputs)}, nil
}

// getSubnet wants its arguments to leave exactly one subnet.
func getSubnet(_ *Account, c *state.Call) (map[string]any, error) {
	found, err := matchingSubnets(c)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(s recorded.Subnet) bool {
		for key, have := range map[string]string{"id": s.ID, "cidrBlock": s.CIDR, "vpcId": s.VPC,
			"availabilityZone": c.Region + s.Zone, "state": "available"} {
			if want := state.Text(c.Inputs, key); want != "" && want != have {
				return true
			}
		}
		return false
	})
	if len(found) == 0 {
		return nil, state.Refuse("InvalidSubnetID.NotFound", "no matching EC2 Subnet found")
	}
	if len(found) > 1 {
		return nil, state.Refuse("InvalidParameterValue", "multiple EC2 Subnets matched; use additional constraints")
	}
	s := found[0]
	return map[string]any{
		"id": s.ID, "arn": state.ARN("ec2", c.Region, "subnet/"+s.ID), "availabilityZone": c.Region + s.Zone,
		"availabilityZoneId": "euw1-az" + strconv.Itoa(1+int(s.Zone[0]-'a')), "cidrBlock": s.CIDR, "vpcId": s.VPC, "ownerId": state.ID,
		"state": "available", "availableIpAddressCount": 251, "mapPublicIpOnLaunch": s.Public, "defaultForAz": false,
		"assignIpv6AddressOnCreation": false, "customerOwnedIpv4Pool": "", "enableDns64": false, "enableLniAtDeviceIndex": 0,
		"enableResourceNameDnsARecordOnLaunch": false, "enableResourceNameDnsAaaaRecordOnLaunch": false, "ipv6CidrBlock": "",
		"ipv6CidrBlockAssociationId": "", "ipv6Native": false, "mapCustomerOwnedIpOnLaunch": false, "outpostArn": "",
		"privateDnsHostnameTypeOnLaunch": "ip-name", "filters": c.Inputs["filters"],
		"tags": map[string]string{"Name": s.Name, strings.TrimPrefix(roleTag(s), "tag:"): "1"},
	}, nil
}

// getNodes finds the one machine that the cluster runs on.
func getNodes(_ *Account, c *state.Call) (map[string]any, error) {
	have := map[string][]string{"vpc-id": {recorded.VPCID}, "instance-state-name": {"running"}, "instance.group-id": {recorded.ClusterSecurityGroupID}}
	for _, filter := range state.Objects(c.Inputs, "filters") {
		// Whatever name the stack config gives the cluster.
		if name := state.Text(filter, "name"); strings.HasPrefix(name, "tag:kubernetes.io/cluster/") {
			have[name] = []string{"owned"}
		}
	}
	ok, err := state.FilterBy(c, have)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	if ok {
		ids = append(ids, recorded.NodeID)
	}
	return map[string]any{"id": c.Region, "ids": ids, "ipv6Addresses": []string{}, "privateIps": []string{}, "publicIps": []string{},
		"filters": c.Inputs["filters"], "instanceStateNames": state.List(c.Inputs, "instanceStateNames"), "instanceTags": state.TagsOf(c.Inputs)}, nil
}

// routeTable is one of a VPC's: the main one for every subnet without another, or the public one.
type routeTable struct {
	id, vpc string
	main    bool
	gateway bool
}

var routeTables = []routeTable{{id: recorded.MainRouteTableID, vpc: recorded.VPCID, main: true},
	{id: recorded.PublicRouteTableID, vpc: recorded.VPCID, gateway: true}, {id: recorded.OtherRouteTableID, vpc: recorded.OtherVPCID, main: true}}

// subnetIDs are those explicitly associated: AWS lists no others.
func (t *routeTable) subnetIDs() []string {
	out := []string{}
	for _, s := range recorded.Subnets {
		if s.Public && !t.main {
			out = append(out, s.ID)
		}
	}
	return out
}

func (t *routeTable) filters() map[string][]string {
	have := map[string][]string{
		"vpc-id": {t.vpc}, "route-table-id": {t.id}, "association.route-table-id": {t.id},
		"association.main": {strconv.FormatBool(t.main)}, "association.subnet-id": t.subnetIDs(),
		"route.destination-cidr-block": {recorded.VPCCIDR}, "route.gateway-id": {"local"}, "tag:Name": {t.id},
	}
	if t.gateway {
		have["route.destination-cidr-block"] = append(have["route.destination-cidr-block"], "0.0.0.0/0")
		have["route.gateway-id"] = append(have["route.gateway-id"], recorded.InternetGatewayID)
	}
	return have
}

func matchingTables(c *state.Call) ([]routeTable, error) {
	var out []routeTable
	for _, t := range routeTables {
		ok, err := state.FilterBy(c, t.filters())
		if err != nil {
			return nil, err
		}
		wrong := func(key, have string) bool { want := state.Text(c.Inputs, key); return want != "" && want != have }
		if subnet := state.Text(c.Inputs, "subnetId"); subnet != "" && !slices.Contains(t.subnetIDs(), subnet) {
			ok = false
		}
		if ok && !wrong("vpcId", t.vpc) && !wrong("routeTableId", t.id) && state.Text(c.Inputs, "gatewayId") == "" {
			out = append(out, t)
		}
	}
	return out, nil
}

// vpcRanges are the networks of both VPCs.
var vpcRanges = map[string]string{recorded.VPCID: recorded.VPCCIDR, recorded.OtherVPCID: recorded.OtherVPCCIDR}

func getVPC(_ *Account, c *state.Call) (map[string]any, error) {
	id := state.Text(c.Inputs, "id")
	network, there := vpcRanges[id]
	if !there {
		return nil, state.Refuse("InvalidVpcID.NotFound", "no matching EC2 VPC found")
	}
	return map[string]any{
		"id": id, "arn": state.ARN("ec2", c.Region, "vpc/"+id), "cidrBlock": network, "ipv6CidrBlock": "", "ipv6AssociationId": "",
		"cidrBlockAssociations": []any{map[string]any{"associationId": "vpc-cidr-assoc-" + id[4:], "cidrBlock": network, "state": "associated"}},
		"default":               false, "dhcpOptionsId": "dopt-0local0000000001", "enableDnsHostnames": true, "enableDnsSupport": true,
		"enableNetworkAddressUsageMetrics": false, "instanceTenancy": "default", "mainRouteTableId": recorded.MainRouteTableID, "ownerId": state.ID,
		"state": "available", "tags": map[string]any{},
	}, nil
}

func getRouteTables(_ *Account, c *state.Call) (map[string]any, error) {
	found, err := matchingTables(c)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for _, t := range found {
		ids = append(ids, t.id)
	}
	return map[string]any{"id": c.Region, "ids": ids, "filters": c.Inputs["filters"], "tags": state.TagsOf(c.Inputs),
		"vpcId": state.Text(c.Inputs, "vpcId")}, nil
}

// getRouteTable finds nothing for a subnet that follows the main table without being associated: AWS doesn't either.
func getRouteTable(_ *Account, c *state.Call) (map[string]any, error) {
	found, err := matchingTables(c)
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, state.Refuse("InvalidRouteTableID.NotFound", "query returned %d route tables, want one; change your search "+
			"criteria and try again", len(found))
	}
	t := found[0]
	routes := []any{route(recorded.VPCCIDR, "local")}
	if t.gateway {
		routes = append(routes, route("0.0.0.0/0", recorded.InternetGatewayID))
	}
	associations := []any{}
	if t.main {
		associations = append(associations, association(t.id, "", true))
	}
	for _, id := range t.subnetIDs() {
		associations = append(associations, association(t.id, id, false))
	}
	return map[string]any{
		"id": t.id, "routeTableId": t.id, "arn": state.ARN("ec2", c.Region, "route-table/"+t.id), "vpcId": t.vpc, "ownerId": state.ID,
		"subnetId": state.Text(c.Inputs, "subnetId"), "gatewayId": "", "routes": routes, "associations": associations,
		"tags": map[string]string{"Name": t.id}, "filters": c.Inputs["filters"],
	}, nil
}

func route(cidr, gateway string) map[string]any {
	out := map[string]any{"cidrBlock": cidr, "gatewayId": gateway}
	for _, key := range []string{"carrierGatewayId", "coreNetworkArn", "destinationPrefixListId", "egressOnlyGatewayId",
		"instanceId", "ipv6CidrBlock", "localGatewayId", "natGatewayId", "networkInterfaceId", "transitGatewayId",
		"vpcEndpointId", "vpcPeeringConnectionId"} {
		out[key] = ""
	}
	return out
}

func association(table, subnet string, main bool) map[string]any {
	return map[string]any{"routeTableAssociationId": "rtbassoc-" + strings.TrimPrefix(table, "rtb-"), "routeTableId": table,
		"subnetId": subnet, "gatewayId": "", "main": main}
}

// always is a lookup that can't fail.
func always(find func(*state.Call) map[string]any) func(*Account, *state.Call) (map[string]any, error) {
	return func(_ *Account, c *state.Call) (map[string]any, error) { return find(c), nil }
}

// getForeignSecret answers for a secret that the stack didn't make, with a stand-in.
func getForeignSecret(c *state.Call) map[string]any {
	arn := state.Text(c.Inputs, "secretId")
	return map[string]any{
		"id": arn + "|AWSCURRENT", "arn": arn, "secretId": arn, "secretString": standIn(arn), "secretBinary": "",
		"versionId": "00000000-0000-0000-0000-000000000000", "versionStage": "AWSCURRENT", "versionStages": []any{"AWSCURRENT"},
		"createdDate": "2026-01-01T00:00:00Z",
	}
}

func getParameter(c *state.Call) map[string]any {
	name := state.Text(c.Inputs, "name")
	return map[string]any{
		"id": name, "arn": name, "name": name, "type": "SecureString", "value": standIn(name), "insecureValue": "", "version": 1, "withDecryption": true,
	}
}

func standIn(of string) string { return "stand-in of " + of }

func getPartition(*state.Call) map[string]any {
	return map[string]any{"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws"}
}

func getCallerIdentity(*state.Call) map[string]any {
	return map[string]any{"id": state.ID, "accountId": state.ID, "userId": "AIDALOCAL", "arn": "arn:aws:iam::" + state.ID + ":user/local"}
}

func getRegion(c *state.Call) map[string]any {
	name, _ := state.Fallback(c.Inputs, "name", c.Region).(string)
	return map[string]any{"id": name, "name": name, "endpoint": "ec2." + name + ".amazonaws.com", "description": name}
}

func getSecurityGroup(a *Account, c *state.Call) (map[string]any, error) {
	a.Mu.Lock()
	defer a.Mu.Unlock()
	id := state.Text(c.Inputs, "id")
	vpc := recorded.VPCOf(a.Shared, id)
	if vpc == "" {
		return nil, state.Refuse("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
	}
	return map[string]any{"id": id, "vpcId": vpc, "arn": state.ARN("ec2", c.Region, "security-group/"+id), "name": id, "description": "",
		"tags": map[string]string{}}, nil
}
