package account

import (
	"encoding/base64"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
)

// lookups by service and name, beside those of RDS.
var lookups = map[string]func(*Account, *call) (map[string]any, error){
	"eks.getCluster":       getCluster,
	"eks.getAddon":         getAddon,
	"ec2.getSubnets":       getSubnets,
	"ec2.getSubnet":        getSubnet,
	"ec2.getRouteTables":   getRouteTables,
	"ec2.getRouteTable":    getRouteTable,
	"ec2.getSecurityGroup": getSecurityGroup,
	"ec2.getInstances":     getNodes,
	"acm.getCertificate":   getCertificate,
	"route53.getZone":      getZone,
	"lb.getHostedZoneId":   always(getBalancersZone),
	"getPartition":         always(getPartition),
	"getCallerIdentity":    always(getCallerIdentity),
	"getRegion":            always(getRegion),
}

func (a *Account) lookup(r *http.Request, c *call) (*Response, error) {
	if find, ok := a.rds.lookups()[r.PathValue("name")]; ok {
		outputs, err := find(c)
		return &Response{Outputs: outputs}, err
	}
	find, ok := lookups[r.PathValue("name")]
	if !ok {
		return nil, refuse("UnknownLookup", "the stand-in for AWS doesn't know the lookup %s", r.PathValue("name"))
	}
	outputs, err := find(a, c)
	return &Response{Outputs: outputs}, err
}

// getCluster answers with the one local cluster, whatever the name.
func getCluster(a *Account, c *call) (map[string]any, error) {
	name := text(c.inputs, "name")
	if name == "" {
		return nil, refuse("InvalidParameterException", "a cluster name is required")
	}
	ca, err := os.ReadFile(a.cfg.ClusterCAFile)
	if err != nil || a.cfg.ClusterEndpoint == "" {
		return nil, refuse("ResourceNotFoundException", "No cluster found for name: %s. (the node has none yet)", name)
	}
	ids := []string{}
	for _, s := range subnets {
		if s.vpc == vpcID {
			ids = append(ids, s.id)
		}
	}
	return map[string]any{
		"id": name, "clusterId": name, "name": name,
		"arn":                    arn("eks", c.region, "cluster/"+name),
		"endpoint":               a.cfg.ClusterEndpoint,
		"certificateAuthorities": []any{map[string]any{"data": base64.StdEncoding.EncodeToString(ca)}},
		"version":                "1.34",
		"platformVersion":        "eks.1",
		"status":                 "ACTIVE",
		"createdAt":              "2026-01-01T00:00:00Z",
		"roleArn":                "arn:aws:iam::" + ID + ":role/eks-cluster",
		"vpcConfig": map[string]any{
			"vpcId": vpcID, "subnetIds": ids, "clusterSecurityGroupId": clusterSecurityGroupID,
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
func getAddon(_ *Account, c *call) (map[string]any, error) {
	cluster, name := text(c.inputs, "clusterName"), text(c.inputs, "addonName")
	if name != "vpc-cni" {
		return nil, refuse("ResourceNotFoundException", "reading EKS Add-On (%s:%s): couldn't find resource", cluster, name)
	}
	return map[string]any{
		"id": cluster + ":" + name, "clusterName": cluster, "addonName": name, "addonVersion": "v1.20.4-eksbuild.2",
		"arn":                 arn("eks", c.region, "addon/"+cluster+"/"+name+"/local"),
		"configurationValues": `{"enableNetworkPolicy":"true"}`,
		"createdAt":           "2026-01-01T00:00:00Z", "modifiedAt": "2026-01-01T00:00:00Z",
		"podIdentityAssociations": []any{}, "serviceAccountRoleArn": "", "tags": map[string]any{},
	}, nil
}

func (s *subnet) filters(region string) map[string][]string {
	return map[string][]string{
		"vpc-id": {s.vpc}, "subnet-id": {s.id}, "availability-zone": {region + s.zone}, "cidr-block": {s.cidr},
		"availabilityZone": {region + s.zone}, "cidr": {s.cidr}, "state": {"available"}, "default-for-az": {"false"},
		"map-public-ip-on-launch": {strconv.FormatBool(s.public)}, "tag:Name": {s.name}, s.roleTag(): {"1"},
	}
}

// roleTag is what EKS wants on the subnets of load balancers.
func (s *subnet) roleTag() string {
	if s.public {
		return "tag:kubernetes.io/role/elb"
	}
	return "tag:kubernetes.io/role/internal-elb"
}

func matchingSubnets(c *call) ([]subnet, error) {
	var out []subnet
	for _, s := range subnets {
		ok, err := filterBy(c, s.filters(c.region))
		if err != nil {
			return nil, err
		}
		if ok {
			out = append(out, s)
		}
	}
	return out, nil
}

func getSubnets(_ *Account, c *call) (map[string]any, error) {
	found, err := matchingSubnets(c)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for _, s := range found {
		ids = append(ids, s.id)
	}
	return map[string]any{"id": c.region, "ids": ids, "filters": c.inputs["filters"], "tags": tagsOf(c.inputs)}, nil
}

// getSubnet wants its arguments to leave exactly one subnet.
func getSubnet(_ *Account, c *call) (map[string]any, error) {
	found, err := matchingSubnets(c)
	if err != nil {
		return nil, err
	}
	found = slices.DeleteFunc(found, func(s subnet) bool {
		for key, have := range map[string]string{"id": s.id, "cidrBlock": s.cidr, "vpcId": s.vpc,
			"availabilityZone": c.region + s.zone, "state": "available"} {
			if want := text(c.inputs, key); want != "" && want != have {
				return true
			}
		}
		return false
	})
	if len(found) == 0 {
		return nil, refuse("InvalidSubnetID.NotFound", "no matching EC2 Subnet found")
	}
	if len(found) > 1 {
		return nil, refuse("InvalidParameterValue", "multiple EC2 Subnets matched; use additional constraints")
	}
	s := found[0]
	return map[string]any{
		"id": s.id, "arn": arn("ec2", c.region, "subnet/"+s.id), "availabilityZone": c.region + s.zone,
		"availabilityZoneId": "euw1-az" + strconv.Itoa(1+int(s.zone[0]-'a')), "cidrBlock": s.cidr, "vpcId": s.vpc, "ownerId": ID,
		"state": "available", "availableIpAddressCount": 251, "mapPublicIpOnLaunch": s.public, "defaultForAz": false,
		"assignIpv6AddressOnCreation": false, "customerOwnedIpv4Pool": "", "enableDns64": false, "enableLniAtDeviceIndex": 0,
		"enableResourceNameDnsARecordOnLaunch": false, "enableResourceNameDnsAaaaRecordOnLaunch": false, "ipv6CidrBlock": "",
		"ipv6CidrBlockAssociationId": "", "ipv6Native": false, "mapCustomerOwnedIpOnLaunch": false, "outpostArn": "",
		"privateDnsHostnameTypeOnLaunch": "ip-name", "filters": c.inputs["filters"],
		"tags": map[string]string{"Name": s.name, strings.TrimPrefix(s.roleTag(), "tag:"): "1"},
	}, nil
}

// getNodes finds the one machine that the cluster runs on.
func getNodes(_ *Account, c *call) (map[string]any, error) {
	have := map[string][]string{"vpc-id": {vpcID}, "instance-state-name": {"running"}, "instance.group-id": {clusterSecurityGroupID}}
	for _, filter := range objects(c.inputs, "filters") {
		// Whatever name the stack config gives the cluster.
		if name := text(filter, "name"); strings.HasPrefix(name, "tag:kubernetes.io/cluster/") {
			have[name] = []string{"owned"}
		}
	}
	ok, err := filterBy(c, have)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	if ok {
		ids = append(ids, nodeID)
	}
	return map[string]any{"id": c.region, "ids": ids, "ipv6Addresses": []string{}, "privateIps": []string{}, "publicIps": []string{},
		"filters": c.inputs["filters"], "instanceStateNames": list(c.inputs, "instanceStateNames"), "instanceTags": tagsOf(c.inputs)}, nil
}

// routeTable is one of a VPC's: the main one for every subnet without another, or the public one.
type routeTable struct {
	id, vpc string
	main    bool
	gateway bool
}

var routeTables = []routeTable{{id: mainRouteTableID, vpc: vpcID, main: true},
	{id: publicRouteTableID, vpc: vpcID, gateway: true}, {id: otherRouteTableID, vpc: otherVPCID, main: true}}

// subnetIDs are those explicitly associated: AWS lists no others.
func (t *routeTable) subnetIDs() []string {
	out := []string{}
	for _, s := range subnets {
		if s.public && !t.main {
			out = append(out, s.id)
		}
	}
	return out
}

func (t *routeTable) filters() map[string][]string {
	have := map[string][]string{
		"vpc-id": {t.vpc}, "route-table-id": {t.id}, "association.route-table-id": {t.id},
		"association.main": {strconv.FormatBool(t.main)}, "association.subnet-id": t.subnetIDs(),
		"route.destination-cidr-block": {vpcCIDR}, "route.gateway-id": {"local"}, "tag:Name": {t.id},
	}
	if t.gateway {
		have["route.destination-cidr-block"] = append(have["route.destination-cidr-block"], "0.0.0.0/0")
		have["route.gateway-id"] = append(have["route.gateway-id"], internetGatewayID)
	}
	return have
}

func matchingTables(c *call) ([]routeTable, error) {
	var out []routeTable
	for _, t := range routeTables {
		ok, err := filterBy(c, t.filters())
		if err != nil {
			return nil, err
		}
		wrong := func(key, have string) bool { want := text(c.inputs, key); return want != "" && want != have }
		if subnet := text(c.inputs, "subnetId"); subnet != "" && !slices.Contains(t.subnetIDs(), subnet) {
			ok = false
		}
		if ok && !wrong("vpcId", t.vpc) && !wrong("routeTableId", t.id) && text(c.inputs, "gatewayId") == "" {
			out = append(out, t)
		}
	}
	return out, nil
}

func getRouteTables(_ *Account, c *call) (map[string]any, error) {
	found, err := matchingTables(c)
	if err != nil {
		return nil, err
	}
	ids := []string{}
	for _, t := range found {
		ids = append(ids, t.id)
	}
	return map[string]any{"id": c.region, "ids": ids, "filters": c.inputs["filters"], "tags": tagsOf(c.inputs),
		"vpcId": text(c.inputs, "vpcId")}, nil
}

// getRouteTable finds nothing for a subnet that follows the main table without being associated: AWS doesn't either.
func getRouteTable(_ *Account, c *call) (map[string]any, error) {
	found, err := matchingTables(c)
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, refuse("InvalidRouteTableID.NotFound", "query returned %d route tables, want one; change your search "+
			"criteria and try again", len(found))
	}
	t := found[0]
	routes := []any{route(vpcCIDR, "local")}
	if t.gateway {
		routes = append(routes, route("0.0.0.0/0", internetGatewayID))
	}
	associations := []any{}
	if t.main {
		associations = append(associations, association(t.id, "", true))
	}
	for _, id := range t.subnetIDs() {
		associations = append(associations, association(t.id, id, false))
	}
	return map[string]any{
		"id": t.id, "routeTableId": t.id, "arn": arn("ec2", c.region, "route-table/"+t.id), "vpcId": t.vpc, "ownerId": ID,
		"subnetId": text(c.inputs, "subnetId"), "gatewayId": "", "routes": routes, "associations": associations,
		"tags": map[string]string{"Name": t.id}, "filters": c.inputs["filters"],
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
func always(find func(*call) map[string]any) func(*Account, *call) (map[string]any, error) {
	return func(_ *Account, c *call) (map[string]any, error) { return find(c), nil }
}

func getPartition(*call) map[string]any {
	return map[string]any{"id": "aws", "partition": "aws", "dnsSuffix": "amazonaws.com", "reverseDnsPrefix": "com.amazonaws"}
}

func getCallerIdentity(*call) map[string]any {
	return map[string]any{"id": ID, "accountId": ID, "userId": "AIDALOCAL", "arn": "arn:aws:iam::" + ID + ":user/local"}
}

func getRegion(c *call) map[string]any {
	name, _ := fallback(c.inputs, "name", c.region).(string)
	return map[string]any{"id": name, "name": name, "endpoint": "ec2." + name + ".amazonaws.com", "description": name}
}

func getSecurityGroup(a *Account, c *call) (map[string]any, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	id := text(c.inputs, "id")
	vpc := vpcOf(a.shared, id)
	if vpc == "" {
		return nil, refuse("InvalidGroup.NotFound", "The security group '%s' does not exist", id)
	}
	return map[string]any{"id": id, "vpcId": vpc, "arn": arn("ec2", c.region, "security-group/"+id), "name": id, "description": "",
		"tags": map[string]string{}}, nil
}
