#!/usr/bin/perl
# SPDX-License-Identifier: LGPL-2.1-or-later
# What Sys::Virt finds and does on the host of a URI, its one argument: a line a call, with the result or the error.
# Run by test_sys_virt.py.
use strict;
use warnings;
use Sys::Virt;

$| = 1;
my $conn = Sys::Virt->new(uri => $ARGV[0]);

sub shown {
    my ($value) = @_;
    return "undef" unless defined $value;
    return "[" . join(", ", map { shown($_) } @$value) . "]" if ref($value) eq "ARRAY";
    return "{" . join(", ", map { "$_: " . shown($value->{$_}) } sort keys %$value) . "}" if ref($value) eq "HASH";
    return ref($value) if ref($value);
    return $value;
}

sub tried {
    my ($label, $work) = @_;
    my @found = eval { $work->() };
    if (my $error = $@) {
        my $words = ref($error) ? sprintf("%d %d %s", $error->code, $error->domain, $error->message) : $error;
        print "$label !! $words\n";
        return;
    }
    print "$label -> ", join(", ", map { shown($_) } @found), "\n";
}

my $xml = "<domain type='test'><name>perl</name><uuid>11111111-2222-4333-8444-555555555555</uuid>"
    . "<memory>2048</memory><currentMemory>1024</currentMemory><vcpu>2</vcpu><os><type>hvm</type></os></domain>";


tried("type", sub { $conn->get_type });
tried("version", sub { $conn->get_major_version, $conn->get_minor_version, $conn->get_micro_version });
tried("node", sub { $conn->get_node_info });
tried("max vcpus", sub { $conn->get_max_vcpus("test") });
tried("capabilities", sub { length($conn->get_capabilities) });
tried("sysinfo", sub { $conn->get_sysinfo });
tried("secure", sub { $conn->is_secure });
tried("free", sub { $conn->get_node_free_memory });
tried("cpu stats", sub { $conn->get_node_cpu_stats });
tried("security", sub { $conn->get_node_security_model });
tried("domains", sub { map { $_->get_name } $conn->list_all_domains });
tried("counts", sub { $conn->num_of_domains, $conn->num_of_defined_domains, $conn->num_of_networks });
tried("networks", sub { map { $_->get_name . " " . $_->get_bridge_name } $conn->list_all_networks });
tried("pools", sub { map { $_->get_name . " " . shown($_->get_info) } $conn->list_all_storage_pools });
tried("interfaces", sub { map { $_->get_name . " " . $_->get_mac } $conn->list_all_interfaces });
tried("devices", sub { sort map { $_->get_name } $conn->list_all_node_devices });
tried("secrets", sub { $conn->list_all_secrets });
tried("filters", sub { $conn->list_all_nwfilters });
tried("no such", sub { $conn->get_domain_by_name("none") });
tried("no uuid", sub { $conn->get_domain_by_uuid_string("99999999-2222-4333-8444-555555555555") });
tried("no network", sub { $conn->get_network_by_name("none") });
tried("no pool", sub { $conn->get_storage_pool_by_name("none") });

my $dom = $conn->define_domain($xml);
tried("xml", sub { $dom->get_xml_description });
tried("flags", sub { $dom->is_active, $dom->is_persistent, $dom->is_updated, $dom->get_autostart, $dom->has_managed_save_image });
tried("stop", sub { $dom->destroy });
tried("start", sub { $dom->create; $dom->get_id });
tried("again", sub { $dom->create });
tried("info", sub { my $info = $dom->get_info; delete $info->{cpuTime}; $info });
tried("state", sub { $dom->get_state });
tried("suspend", sub { $dom->suspend; $dom->get_state });
tried("resume", sub { $dom->resume; $dom->get_state });
tried("memory", sub { $dom->set_memory(1536); $dom->get_max_memory });
tried("too much", sub { $dom->set_memory(1 << 30) });
tried("vcpus", sub { $dom->set_vcpus(1); $dom->get_vcpus(0) });
tried("autostart", sub { $dom->set_autostart(1); $dom->get_autostart });
tried("title", sub { $dom->set_metadata(Sys::Virt::Domain::METADATA_TITLE, "Perl", undef, undef, 0); $dom->get_metadata(Sys::Virt::Domain::METADATA_TITLE, undef, 0) });
tried("scheduler", sub { $dom->get_scheduler_type, $dom->get_scheduler_parameters });
tried("no time", sub { $dom->get_time });
tried("snapshot", sub { $dom->create_snapshot("<domainsnapshot><name>s</name></domainsnapshot>")->get_name });
tried("snapshots", sub { map { $_->get_name . $_->is_current } $dom->list_all_snapshots });
tried("revert", sub { $dom->get_snapshot_by_name("s")->revert_to; $dom->get_state });
tried("drop", sub { $dom->get_snapshot_by_name("s")->delete; $dom->num_of_snapshots });
tried("save", sub { $dom->managed_save; $dom->has_managed_save_image });
tried("undefine", sub { $dom->undefine });
tried("undefine all", sub { $dom->undefine(Sys::Virt::Domain::UNDEFINE_MANAGED_SAVE) });
tried("gone", sub { $dom->get_info });
tried("transient", sub { $conn->create_domain($xml)->get_id });
tried("reboot", sub { $conn->get_domain_by_name("perl")->reboot(0) });
tried("shutdown", sub { $conn->get_domain_by_name("perl")->shutdown });
tried("bad", sub { $conn->define_domain("<domain/>") });
tried("migrate", sub { $conn->get_domain_by_name("test")->get_job_info });
tried("net", sub { my $net = $conn->get_network_by_name("default"); $net->destroy; $net->is_active });
tried("net start", sub { my $net = $conn->get_network_by_name("default"); $net->create; $net->create });
tried("leases", sub { $conn->get_network_by_name("default")->get_dhcp_leases });
tried("pool", sub { my $pool = $conn->get_storage_pool_by_name("default-pool"); $pool->destroy; $pool->is_active });
