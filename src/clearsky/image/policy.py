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

_EACH = (
    ("get_images", _READER),
    ("get_image", _READER),
    ("download_image", f"{ADMIN} or role:member"),
    ("add_image", _MEMBER),
    ("modify_image", _MEMBER),
    ("delete_image", _MEMBER),
    ("upload_image", _MEMBER),
    ("get_image_location", f"{ADMIN} or (role:reader and project_id:%(project_id)s)"),
    ("set_image_location", _MEMBER),
    ("delete_image_location", ADMIN),
    ("stores_info_detail", f"{ADMIN} or role:service"),
    ("copy_image", ADMIN),
    ("tasks_api_access", ADMIN),
    ("cache_list", ADMIN),
    ("cache_image", ADMIN),
    ("cache_delete", ADMIN),
    ("publicize_image", ADMIN),
    ("communitize_image", _MEMBER),
    ("deactivate", _MEMBER),
    ("reactivate", _MEMBER),
    ("get_member", _READER),
    ("get_members", _READER),
    ("add_member", _MEMBER),
    ("delete_member", _MEMBER),
    ("modify_member", _MEMBER),  # the target is the member's project
    *((name, _READER) for name in _METADEFS_READ),
    *((name, ADMIN) for name in _METADEFS_WRITE),
)
RULES = tuple(Rule(name, check, scopes=("project",)) for name, check in _EACH)
"""Images are projects' things: tokens for a domain or the system are not for them."""
