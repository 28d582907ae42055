# SPDX-License-Identifier: LGPL-2.1-or-later
"""The policy that `virtproxy policy init` writes: conf/policy.toml, carried along because a wheel has no conf/."""

from __future__ import annotations

TEMPLATE = """\
# Who may do what: the policy of virtproxyd
#
# virtproxyd reads this file if virtproxyd.conf says policy_file = "/path/of/this/file", and takes changes over at
# once. It must belong to root and be writable by nobody else.
#
#   virtproxy policy check FILE                          mistakes, and who has what
#   virtproxy policy explain --as unix:alice start web1  why somebody may do something, or may not
#   virtproxy policy roles                               the ready-made roles: viewer, operator, owner, admin
#
# Whoever is not named here may do nothing. A [[deny]] wins over every [[grant]]; apart from that the order of the
# rules does not matter. virtproxy(1) and docs/policy.md tell all there is.

# "report" refuses nothing and logs what "enforce" would refuse: try a new policy with it.
mode = "enforce"


## Names for those who call

# The conditions of one table must all hold; one of several values is enough. Two tables of the same name, in double
# brackets, are two ways to be meant. Conditions: user, uid, group, sasl, realm, mechanism, x509, san, transport,
# address, readonly, subject (other names from here), everyone.

#[subjects.operators]
#group = "libvirt-operators"
#transport = "unix"

#[[subjects.automation]]
#x509 = "O=Example,CN=ci-*"
#address = ["192.0.2.0/24", "2001:db8::/32"]

#[[subjects.automation]]
#realm = "EXAMPLE.COM"
#sasl = "ci/*"


## Roles of your own

#[roles.backup]
#inherits = ["viewer"]
#permissions = ["domain:checkpoint", "domain:block_write", "storage_vol:data_read"]


## Grants

# `to` takes names from above and, in short, conditions such as "user:alice", "group:ops", "x509:CN=a*"; `except` takes
# some of them out again.

[[grant]]
to = ["user:root"]
roles = ["admin"]

# Everybody who is let in may look, but at nothing secret.
#[[grant]]
#to = ["everyone"]
#roles = ["viewer"]

# Without `on` a grant is for everything. Things are "KIND" or "KIND:NAME", or tables with kind, name, uuid, uri,
# driver, pool, network, owned.
#[[grant]]
#to = ["operators"]
#roles = ["operator"]
#on = ["domain:web-*", { kind = ["storage_pool", "storage_vol"], pool = "web" }]

# What one has defined oneself, one may change and remove.
#[[grant]]
#to = ["group:developers"]
#roles = ["owner"]


## What nobody may, whatever is granted

#[[deny]]
#to = ["everyone"]
#except = ["user:root"]
#permissions = ["domain:delete", "domain:migrate"]
#on = ["domain:prod-*"]


## What documents may name

# A guest's definition can name any file and device of the host. Of all that only what stands here is allowed, except
# to those who are admin of everything. In paths "*" stops at a slash, "/**" is all that is below.

#[[documents]]
#to = ["group:developers"]
#disks = ["/srv/guests/*.qcow2"]
#readonly_disks = ["/srv/templates/**", "/srv/isos/**"]
#networks = ["default"]
#boot_files = ["/usr/share/OVMF/**"]
#listens = ["127.0.0.1:*"]


## How much each may own

#[[quota]]
#to = ["group:developers"]
#guests = 5
#vcpus = 16
#memory = "32GiB"
#volumes = "500GiB"
"""
