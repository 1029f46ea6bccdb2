"""The Image service's rules, under upstream's names."""

from __future__ import annotations

from clearsky.api.policy import ADMIN, Rule

_READER = f"{ADMIN} or role:reader"
_MEMBER = f"{ADMIN} or (role:member and project_id:%(project_id)s)"

_METADEFS_READ = (
    "get_metadef_namespace", "get_metadef_namespaces", "get_metadef_object", "get_metadef_objects",
    "get_metadef_property", "get_metadef_properties", "get_metadef_tag", "get_metadef_tags",
    "get_metadef_resource_type", "list_metadef_resource_types",
)  # fmt: skip
_METADEFS_WRITE = (
    "add_metadef_namespace", "modify_metadef_namespace", "delete_metadef_namespace",
    "add_metadef_object", "modify_metadef_object", "delete_metadef_object",
    "add_metadef_property", "modify_metadef_property", "remove_metadef_property",
    "add_metadef_tag", "add_metadef_tags", "modify_metadef_tag", "delete_metadef_tag", "delete_metadef_tags",
    "add_metadef_resource_type_association", "remove_metadef_resource_type_association",
)  # fmt: skip

RULES = (
    Rule("get_images", _READER),
    Rule("get_image", _READER),
    Rule("download_image", f"{ADMIN} or role:member"),
    Rule("add_image", _MEMBER),
    Rule("modify_image", _MEMBER),
    Rule("delete_image", _MEMBER),
    Rule("upload_image", _MEMBER),
    Rule("get_image_location", f"{ADMIN} or (role:reader and project_id:%(project_id)s)"),
    Rule("set_image_location", _MEMBER),
    Rule("delete_image_location", ADMIN),
    Rule("stores_info_detail", f"{ADMIN} or role:service"),
    Rule("copy_image", ADMIN),
    Rule("tasks_api_access", ADMIN),
    Rule("publicize_image", ADMIN),
    Rule("communitize_image", _MEMBER),
    Rule("deactivate", _MEMBER),
    Rule("reactivate", _MEMBER),
    Rule("get_member", _READER),
    Rule("get_members", _READER),
    Rule("add_member", _MEMBER),
    Rule("delete_member", _MEMBER),
    Rule("modify_member", _MEMBER),  # the target is the member's project
    *(Rule(name, _READER) for name in _METADEFS_READ),
    *(Rule(name, ADMIN) for name in _METADEFS_WRITE),
)
