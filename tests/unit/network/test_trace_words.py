"""ovn-trace's words as data: what is known, and what a newer one might say."""

from __future__ import annotations

from clearsky.network.ovn.trace.words import Enter, Flow, Inner, Output, Remark, parse

TRACE = """\
# icmp,reg14=0x1,vlan_tci=0x0000,dl_src=fa:16:3e:00:00:11

ingress(dp="d1", inport="p1")
-----------------------------
 0. ls_in_check_port_sec (northd.c:8432): 1, priority 50, uuid 5c1046aa
    reg0[15] = check_in_port_sec();
    next;
 6. ls_in_pre_stateful (northd.c:6140): reg0[0] == 1 && (a: b), priority 100, uuid cd713577
    ct_next;

ct_next(ct_state=est|trk /* default (use --ct to customize) */)
---------------------------------------------------------------
 8. ls_in_acl: no match (implicit drop)
25. ls_in_l2_lkup (northd.c:9193): eth.dst == fa:16:3e:00:00:16, priority 50, uuid e4419982
    outport = "r";
    output;
    /* output to "r", type "patch" */

ct_dnatin_czone(ip4.dst=10.1.0.11)
----------------------------------
multicast(dp="d2", mcgroup="_MC_unknown")
-----------------------------------------

    egress(dp="d2", inport="r-gw", outport="provider")
    --------------------------------------------------
         9. ls_out_apply_port_sec: 1, priority 0, uuid 52466872
            a_new_action(with="quotes; and more");
            /* output to "provider", type "localnet" */

something never heard of
------------------------
    /* No MAC binding. */
"""


def test_each_kind_of_line_is_read():
    assert parse(TRACE, {"d1": "net-a"}) == [
        Enter("ingress", "net-a", "p1"),
        Flow("ls_in_check_port_sec", "1", "5c1046aa", ["reg0[15] = check_in_port_sec();", "next;"]),
        Flow("ls_in_pre_stateful", "reg0[0] == 1 && (a: b)", "cd713577", ["ct_next;"]),
        Inner("ct_next", "(ct_state=est|trk /* default (use --ct to customize) */)"),
        Flow("ls_in_acl"),
        Flow("ls_in_l2_lkup", "eth.dst == fa:16:3e:00:00:16", "e4419982", ['outport = "r";', "output;"]),
        Output("r", "patch"),
        Inner("ct_dnat", "in_czone(ip4.dst=10.1.0.11)"),
        Inner("multicast", '(dp="d2", mcgroup="_MC_unknown")'),
        Enter("egress", "d2", "r-gw", "provider"),
        Flow("ls_out_apply_port_sec", "1", "52466872", ['a_new_action(with="quotes; and more");']),
        Output("provider", "localnet"),
        Inner("something", " never heard of"),
        Remark("No MAC binding"),
    ]


def test_no_flow_is_a_drop():
    events = parse(TRACE)
    assert [event.stage for event in events if isinstance(event, Flow) and event.drops] == ["ls_in_acl"]


def test_nothing_and_rubbish_are_no_events_or_harmless_ones():
    assert parse("") == []
    assert parse("a line\n\nanother\n") == []
