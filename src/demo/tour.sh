#!/bin/sh
# From a refused query to a grant, to an answer, and back. Each step is a curl command whose status is
# checked; it can be run again. Certificates are those of people/ and clients/; sessions are in jars/.
set -eu
cd "$(dirname "$0")"
mkdir -p jars

# STATUS, and what curl is to do.
expect() {
    want=$1
    shift
    got=$(curl -sS --cacert ca/systems/ca.pem -H 'accept-language: en' -o jars/answer -w '%{http_code}' "$@")
    printf '%s %s\n' "$got" "$(cat jars/answer)"
    [ "$got" = "$want" ] || { echo "expected $want" >&2; exit 1; }
}

# STATUS: housing asks civil affairs for the mobile number of somebody, masked.
query() {
    expect "$1" --cert clients/housing.aid.pem --key clients/housing.aid.key BASE/v1/datasets/civil.subsistence/query \
        --json '{"purpose":"housing-aid.review","case":"GZ-2026-0007","operator":"zj-112","subjects":[{"id_number":"11010519491231002X"}],"fields":["mobile"]}'
}

sign_in() {
    expect 200 --cert "people/$1.pem" --key "people/$1.key" -c "jars/$1" BASE/v1/session --json '{"by":"certificate"}' >/dev/null
}

# ACCOUNT COMMAND MEMBERS: for the version that the last answer named.
give() {
    echo "# $1: $2"
    sign_in "$1"
    expect 200 -b "jars/$1" "BASE/v1/applications/$id/$2" --json "{\"version\":$version$3}"
    version=$(sed -n 's/.*"version":\([0-9]*\).*/\1/p' jars/answer)
}

echo '# housing.aid asks, and is refused'
query 403
echo '# housing.applicant: applies'
sign_in housing.applicant
expect 201 -b jars/housing.applicant BASE/v1/applications --json '{"terms":{"dataset":"civil.subsistence",
    "purpose":"housing-aid.review","basis":"《公共租赁住房管理办法》第七条","scenario":"公租房申请资格审核",
    "scope":"住房保障科经办人员","mode":"service","systems":["housing.aid"],
    "fields":[{"field":"mobile","form":"mask","reason":"核对联系电话"}],
    "per_day":200,"distinct_per_day":100,"until":"UNTIL"}}'
id=$(sed -n 's/.*"application":"\([^"]*\)".*/\1/p' jars/answer)
version=$(sed -n 's/.*"version":\([0-9]*\).*/\1/p' jars/answer)
give housing.applicant submit ''
give housing.lead consent ''
give civil.head approve ''
give civil.leader approve ''
give civil.lead approve ''
give housing.lead accept ''
echo '# housing.aid asks again, and is answered'
query 200
give civil.lead revoke ',"note":"演示结束"'
echo '# housing.aid asks once more, and is refused'
query 403
