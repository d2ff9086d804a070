#!/bin/bash
# Checks an exported release with bash, jq, openssl 3, sha256sum, tar and zstd alone. In its folder:
#   bash verify-export.sh ROOT PRODUCT CHANNEL VERSION
# ROOT is the SHA-256 of the first root, from the people who hold its keys, not from the folder.
set -euo pipefail
root=${1#sha256:} product=$2 channel=$3 version=$4
key=$(mktemp)
trap 'rm -f "$key"' EXIT

fail() {
  echo "NOT GENUINE: $1" >&2
  exit 1
}

# `document ROLE FILTER` reads the bytes that were signed. These hold a line break in a text as it
# is, where JSON has \n.
document() {
  jq -Rser "${@:3}" 'split("\n") | join("\\n") | fromjson | '"$2" "signatures/$1.signed.json"
}

# `is ROLE TYPE` fails unless the document says that it is of this type.
is() {
  document "$1" 'select(._type == $type) | "\($role): version \(.version), expires \(.expires)"' \
    --arg role "$1" --arg type "$2" || fail "$1 is no $2"
}

# `ring ABOVE NAME` prints the threshold, and then every key, that ABOVE gives to NAME alone.
ring() {
  document "$1" 'if ._type == "root" then { keys, role: .roles[$name] }
    else { keys: .delegations.keys, role: (.delegations.roles[] | select(.name == $name)) } end
    | .keys as $keys
    | (.role.threshold | numbers | select(. >= 1)),
      (.role.keyids[] | [., $keys[.].keytype, $keys[.].keyval.public] | @tsv)' \
    --arg name "$2"
}

# Writes a public key, as the document above has it, for openssl.
write_key() {
  case $1 in
    ed25519) printf '%b' "$(sed 's/../\\x&/g' <<<"302a300506032b6570032100$2")" ;;
    ecdsa) printf '%b' "$2" ;;
    *) return 1 ;;
  esac >"$key"
}

# `verify KIND SIGNED SIGNATURE` asks openssl whether the signature is by the key just written.
verify() {
  case $1 in
    ed25519) openssl pkeyutl -verify -pubin -keyform DER -inkey "$key" -rawin -in "$2" -sigfile "$3" ;;
    ecdsa) openssl dgst -sha256 -verify "$key" -signature "$3" "$2" ;;
  esac >/dev/null
}

# `signed ROLE ABOVE NAME` fails unless as many different keys have signed ROLE as ABOVE asks for,
# of those that ABOVE gives to NAME.
signed() {
  local ring threshold signers
  ring=$(ring "$2" "$3") || fail "$2 names no keys for $3"
  threshold=${ring%%$'\n'*}
  signers=$(tail -n +2 <<<"$ring" | while IFS=$'\t' read -r id kind public; do
    [ -e "signatures/$1.$id.sig" ] || continue
    write_key "$kind" "$public" || exit 1
    verify "$kind" "signatures/$1.signed.json" "signatures/$1.$id.sig" || exit 1
    echo "$public"
  done | sort -u | wc -l) || fail "a signature of $1 is not by the key that $2 names for $3"
  [ "$signers" -ge "$threshold" ] ||
    fail "$signers of the $threshold keys of $2 have signed $1"
  echo "$1: signed by $signers keys that $2 names for $3, which needs $threshold"
}

# 1. The anchor: the first root has the digest that you were given, and says what was signed.
sha256sum -c <<<"$root  tuf/1.root.json" || fail "tuf/1.root.json is not the root you were given"
[ "$(jq -S .signed tuf/1.root.json)" = "$(document 1.root . | jq -S .)" ] ||
  fail 'signatures/1.root.signed.json does not say what tuf/1.root.json says'

# 2. From the root down. A later root needs the keys of the root before it, and its own.
is 1.root root
signed 1.root 1.root root
newest=1
while [ -e "signatures/$((newest + 1)).root.signed.json" ]; do
  next=$((newest + 1))
  is $next.root root
  document $next.root "select(.version == $next)" >/dev/null || fail "$next.root is another version"
  signed $next.root $newest.root root
  signed $next.root $next.root root
  newest=$next
done
is targets targets
signed targets $newest.root targets
is "$product" targets
signed "$product" targets "$product"
is "$product.$channel" targets
signed "$product.$channel" "$product" "$product.$channel"

# 3. The release, as the channel lists it, and everything below its index by SHA-256.
path=$product/$channel/$version
document "$product.$channel" '.targets[$path]' --arg path "$path" ||
  fail "the channel does not list $path"
index=$(document "$product.$channel" '.targets[$path].hashes.sha256' --arg path "$path")
(cd oci/blobs/sha256 && sha256sum -c --quiet <<<"$index  $index") || fail 'the index is another one'
(cd oci/blobs/sha256 && for f in *; do echo "$f  $f"; done | sha256sum -c --quiet) ||
  fail 'a blob is not what it is called'

# 4. The files of every bundle: the list is the one below the index, and the layer unpacks to it,
# name by name, with kind, mode, target of a link and content, and to nothing else.
umask 022
blobs=$PWD/oci/blobs/sha256
jq -r '.manifests[] | select(.platform != null) |
  [(.platform | [.os, .architecture, .variant // empty] | join("/")), .digest[7:]] | @tsv' "$blobs/$index" |
  while IFS=$'\t' read -r platform manifest; do
    jq -e '.artifactType == "application/vnd.seaworthy.bundle.v1+json"' "$blobs/$manifest" >/dev/null || continue
    name=${platform//\//-}
    list=$(jq -er --arg platform "$platform" '.manifests[]
      | select(.artifactType == "application/vnd.seaworthy.files.v1+json")
      | select(.annotations["dev.seaworthy.platform"] == $platform) | .digest[7:]' "$blobs/$index")
    cmp "files/$name.json" "$blobs/$(jq -er '.layers[0].digest[7:]' "$blobs/$list")"
    mkdir "unpacked-$name"
    zstd -q -d <"$blobs/$(jq -er '.layers[0].digest[7:]' "$blobs/$manifest")" | tar -x -C "unpacked-$name"
    cmp -s <(jq -j '.entries[] | (if .type == "file" then "f \(.mode)"
        elif .type == "symlink" then "l \(.target)" else "d" end) + " \(.path)\u0000"' "files/$name.json" |
        LC_ALL=C sort -z) \
      <(cd "unpacked-$name" && find . -mindepth 1 \( -type f -printf 'f 0%m %P\0' \
        -o -type l -printf 'l %l %P\0' -o -printf '%y %P\0' \) | LC_ALL=C sort -z) ||
      fail "the layer for $platform does not hold exactly what its list says"
    cmp -s <(jq -j '.entries[] | select(.type == "file") | "\(.sha256)  ./\(.path)\u0000"' "files/$name.json" |
        LC_ALL=C sort -z) \
      <(cd "unpacked-$name" && find . -type f -exec sha256sum -z {} + | LC_ALL=C sort -z) ||
      fail "a file of the layer for $platform is not what its list says"
    (cd "unpacked-$name" && sha256sum -c --quiet "../files/$name.sha256sums")
  done

# 5. The bills of materials are the ones below the index: what the release's builder said of it.
if [ -e sbom ]; then
  find sbom -mindepth 1 -printf '%f\0' | while IFS= read -r -d '' file; do
    case $file in
    *.cdx.json) type=application/vnd.cyclonedx+json name=${file%.cdx.json} ;;
    *.spdx.json) type=application/spdx+json name=${file%.spdx.json} ;;
    *.packages.tsv) type=application/vnd.seaworthy.packages.v1+tsv name=${file%.packages.tsv} ;;
    *) fail "sbom/$file is no bill of materials" ;;
    esac
    artifact=$(jq -er --arg type "$type" --arg name "$name" 'first(.manifests[]
      | select(.artifactType == $type)
      | select((.annotations["dev.seaworthy.platform"] // "" | gsub("/"; "-")) == $name)) | .digest[7:]' \
      "$blobs/$index") || fail "the release has no sbom/$file"
    cmp "sbom/$file" "$blobs/$(jq -er '.layers[0].digest[7:]' "$blobs/$artifact")" ||
      fail "sbom/$file is not the one of the release"
  done
fi
echo "Genuine as of root $newest: $path. Whether the versions above are the newest, only the holders know."
