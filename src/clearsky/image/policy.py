"""The Image service's rules, under upstream's names."""

from __future__ import annotations

from clearsky.api.policy import ADMIN, Rule

_READER = f"{ADMIN} or role:reader"
_MEMBER = f"{ADMIN} or (role:member and project_id:%(project_id)s)"

RULES = (
    Rule("get_images", _READER),
    Rule("get_image", _READER),
    Rule("download_image", f"{ADMIN} or role:member"),
    Rule("add_image", _MEMBER),
    Rule("modify_image", _MEMBER),
    Rule("delete_image", _MEMBER),
    Rule("upload_image", _MEMBER),
    Rule("delete_image_location", _MEMBER),
    Rule("stores_info_detail", ADMIN),
    Rule("publicize_image", ADMIN),
    Rule("communitize_image", _MEMBER),
    Rule("deactivate", _MEMBER),
    Rule("reactivate", _MEMBER),
    Rule("get_member", _READER),
    Rule("get_members", _READER),
    Rule("add_member", _MEMBER),
    Rule("delete_member", _MEMBER),
    Rule("modify_member", _MEMBER),  # the target is the member's project
)
