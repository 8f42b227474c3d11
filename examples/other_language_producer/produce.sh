#!/usr/bin/env bash
# Produces one receipt of three words, with nothing of this project: the AWS CLI, and polars for the Arrow files.
# TABLE and BUCKET say where; with AWS_ENDPOINT_URL it is a local stack. Prints the run's id.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

image=$(cat /proc/sys/kernel/random/uuid)
run=$(cat /proc/sys/kernel/random/uuid)
now=$(date -u +%Y-%m-%dT%H:%M:%S+00:00)
receipt='"PK": {"S": "IMAGE#'$image'"}, "SK": {"S": "RECEIPT#00001'

put() { aws dynamodb put-item --table-name "$TABLE" --item "$1"; }

# 1. The receipt: its item, its lines, its words. In any order, also after the run.
put "{$receipt\"}, \"TYPE\": {\"S\": \"RECEIPT\"}, \"timestamp_added\": {\"S\": \"$now\"}}"
put "{$receipt#LINE#00001\"}, \"TYPE\": {\"S\": \"RECEIPT_LINE\"}}"
for word in 1 2 3; do
  put "{$receipt#LINE#00001#WORD#0000$word\"}, \"TYPE\": {\"S\": \"RECEIPT_WORD\"}}"
done

# 2. Both deltas, before the run that names them.
python "$here/deltas.py" "IMAGE#$image#RECEIPT#00001" "$work"
for collection in lines words; do
  aws s3 cp --only-show-errors "$work/$collection.arrow" "s3://$BUCKET/$collection/delta/$run/delta.arrow"
done

# 3. The run.
cat > "$work/run.json" <<JSON
{
  "PK": {"S": "IMAGE#$image"},
  "SK": {"S": "RECEIPT#00001#COMPACTION_RUN#$run"},
  "TYPE": {"S": "COMPACTION_RUN"},
  "lines_delta_prefix": {"S": "lines/delta/$run/"},
  "words_delta_prefix": {"S": "words/delta/$run/"},
  "created_at": {"S": "$now"}
}
JSON
put "file://$work/run.json"
echo "$run"
