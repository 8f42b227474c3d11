"""What outlives a stack, and where snapshots are opened."""

import pytest

from .conftest import Synthesise
from .template import Template, joined

pytestmark = pytest.mark.cdk

TABLE = "arn:aws:dynamodb:eu-west-1:111122223333:table/ReceiptsTable-1"
IMPORTED = {
    "receipts_table": "ReceiptsTable-1",
    "receipts_stream_arn": f"{TABLE}/stream/2026-01-01T00:00:00.000",
}
KEEPS_DATA = ("DynamoDB::Table", "S3::Bucket", "EFS::FileSystem")


@pytest.fixture(scope="module")
def imported(synthesise: Synthesise) -> Template:
    return synthesise(stage="dev", **IMPORTED, delta_buckets="other-bucket")


def test_destroying_the_stack_leaves_the_data(dev: Template) -> None:
    kept = [r for r in dev.body["Resources"].values() if r["Type"].removeprefix("AWS::") in KEEPS_DATA]
    assert len(kept) == 4
    assert all(r["DeletionPolicy"] == r["UpdateReplacePolicy"] == "Retain" for r in kept)
    assert all(table["DeletionProtectionEnabled"] for table in dev.all("DynamoDB::Table").values())


def test_destroying_the_stack_deletes_the_data_when_told(synthesise: Synthesise) -> None:
    told = synthesise(stage="dev", delete_data="true")
    kept = [r for r in told.body["Resources"].values() if r["Type"].removeprefix("AWS::") in KEEPS_DATA]
    assert all(r["DeletionPolicy"] == "Delete" for r in kept)


def test_tables_can_be_restored_to_a_point_in_time_and_cost_by_request(dev: Template) -> None:
    for table in dev.all("DynamoDB::Table").values():
        assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True
        assert table["BillingMode"] == "PAY_PER_REQUEST"


def test_the_receipts_table_streams_both_images(dev: Template) -> None:
    receipts = dev.one("DynamoDB::Table", "Receipts")
    assert receipts["StreamSpecification"] == {"StreamViewType": "NEW_AND_OLD_IMAGES"}


def test_an_existing_receipts_table_is_used_and_none_made(imported: Template) -> None:
    assert [name for name in imported.all("DynamoDB::Table") if "Receipts" in name] == []
    assert imported.one("Lambda::EventSourceMapping")["EventSourceArn"] == IMPORTED["receipts_stream_arn"]
    tables = {f["Environment"]["Variables"]["RECEIPTS_TABLE"] for f in imported.functions().values()}
    assert tables == {"ReceiptsTable-1"}
    assert imported.body["Outputs"]["ReceiptsTable"]["Value"] == "ReceiptsTable-1"


def test_other_buckets_that_runs_name_can_be_read_by_the_merge_only(imported: Template) -> None:
    readers = {
        name
        for name in imported.functions()
        for statement in imported.statements(imported.role_of(name))
        if "other-bucket" in str(statement["Resource"])
    }
    assert readers == {"MergeDeltas"}


def test_messages_for_other_services_are_off_until_asked_for(dev: Template, synthesise: Synthesise) -> None:
    asked = synthesise(stage="dev", messages="true")
    queue = next(name for name in asked.all("SQS::Queue") if "Messages" in name)
    for template, value in ((dev, None), (asked, {"Ref": queue})):
        variables = template.functions()["StreamHandler"]["Environment"]["Variables"]
        assert variables.get("MESSAGES_QUEUE_URL") == value
    senders = {
        name
        for name in asked.functions()
        for statement in asked.statements(asked.role_of(name))
        if queue in str(statement["Resource"])
    }
    assert senders == {"StreamHandler"}


def test_an_existing_bucket_is_used_as_it_is(synthesise: Synthesise) -> None:
    existing = synthesise(stage="dev", bucket="old-deltas.example", delete_data="true")
    assert existing.all("S3::Bucket") == existing.all("S3::BucketPolicy") == {}
    names = {
        f["Environment"]["Variables"]["BUCKET"]
        for f in existing.functions().values()
        if "BUCKET" in f["Environment"]["Variables"]
    }
    assert names == {existing.body["Outputs"]["Bucket"]["Value"]} == {"old-deltas.example"}


def test_functions_may_do_in_an_existing_bucket_what_they_may_in_one_of_the_stack(
    dev: Template, synthesise: Synthesise
) -> None:
    existing = synthesise(stage="dev", bucket="old-deltas.example")
    own = next(name for name in dev.all("S3::Bucket"))

    def grants(template: Template, bucket: str) -> set[tuple[str, str, str]]:
        return {
            (name, action, joined(resource).rpartition(bucket)[2].removeprefix(".Arn>"))
            for name in template.functions()
            for statement in template.statements(template.role_of(name))
            for resource in statement["Resource"]
            if bucket in str(resource)
            for action in statement["Action"]
        }

    assert grants(existing, "old-deltas.example") == grants(dev, own)
    assert len(grants(dev, own)) > 10


@pytest.mark.parametrize("name", ["s3://old-deltas", "arn:aws:s3:::old-deltas", "Old", "ab"])
def test_what_is_no_buckets_name_is_refused(synthesise: Synthesise, name: str) -> None:
    with pytest.raises(ValueError, match="is no bucket's name"):
        synthesise(stage="dev", bucket=name)


def test_the_stacks_bucket_is_no_other_bucket(synthesise: Synthesise) -> None:
    with pytest.raises(ValueError, match="leave it out of -c delta_buckets"):
        synthesise(stage="dev", bucket="old-deltas", delta_buckets="old-deltas")


def test_half_an_import_is_refused(synthesise: Synthesise) -> None:
    with pytest.raises(ValueError, match="both"):
        synthesise(stage="dev", receipts_table="ReceiptsTable-1")


def test_the_lifecycle_never_expires_a_delta_or_a_snapshot(dev: Template) -> None:
    rules = dev.one("S3::Bucket")["LifecycleConfiguration"]["Rules"]
    expiring = {rule.get("Prefix") for rule in rules if "ExpirationInDays" in rule}
    assert expiring == {"plans/", "reports/", "poison/"}
    others = [rule for rule in rules if "ExpirationInDays" not in rule]
    assert [set(rule) for rule in others] == [{"AbortIncompleteMultipartUpload", "Id", "Status"}]


def test_the_bucket_is_encrypted_private_and_refuses_plain_http(dev: Template) -> None:
    bucket = dev.one("S3::Bucket")
    assert bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    denied = dev.one("S3::BucketPolicy")["PolicyDocument"]["Statement"][0]
    assert denied["Effect"] == "Deny"
    assert denied["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_the_file_system_is_elastic_encrypted_and_has_no_infrequent_access(dev: Template) -> None:
    file_system = dev.one("EFS::FileSystem")
    assert file_system["ThroughputMode"] == "elastic"
    assert file_system["Encrypted"] is True
    assert "LifecyclePolicies" not in file_system


def test_the_file_systems_policy_gives_nobody_anything(dev: Template) -> None:
    statements = dev.one("EFS::FileSystem")["FileSystemPolicy"]["Statement"]
    assert [statement["Effect"] for statement in statements] == ["Deny"]


def test_the_access_point_has_a_user_of_its_own_who_owns_its_folder(dev: Template) -> None:
    point = dev.one("EFS::AccessPoint")
    assert point["PosixUser"]["Uid"] not in ("0", "1000")
    assert point["RootDirectory"]["CreationInfo"]["OwnerUid"] == point["PosixUser"]["Uid"]


def test_there_is_a_mount_target_in_every_subnet_of_the_functions(dev: Template) -> None:
    mounts = {target["SubnetId"]["Ref"] for target in dev.all("EFS::MountTarget").values()}
    in_vpc = [f["VpcConfig"]["SubnetIds"] for f in dev.functions().values() if "VpcConfig" in f]
    assert in_vpc
    assert all({subnet["Ref"] for subnet in subnets} == mounts for subnets in in_vpc)


def test_the_vpc_has_no_way_out_but_two_gateway_endpoints(dev: Template) -> None:
    assert not dev.all("EC2::NatGateway")
    assert not dev.all("EC2::InternetGateway")
    assert not dev.all("EC2::Route")
    endpoints = dev.all("EC2::VPCEndpoint").values()
    assert {endpoint["VpcEndpointType"] for endpoint in endpoints} == {"Gateway"}
    assert sorted(str(e["ServiceName"]["Fn::Join"][1][-1]) for e in endpoints) == [".dynamodb", ".s3"]


def test_nfs_flows_between_the_two_security_groups_only(dev: Template) -> None:
    ingress, egress = dev.one("EC2::SecurityGroupIngress"), dev.one("EC2::SecurityGroupEgress")
    assert ingress["FromPort"] == egress["FromPort"] == 2049
    assert ingress["SourceSecurityGroupId"] == egress["GroupId"]
    assert ingress["GroupId"] == egress["DestinationSecurityGroupId"]
    assert all("SecurityGroupIngress" not in group for group in dev.all("EC2::SecurityGroup").values())
