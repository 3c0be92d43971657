#!/usr/bin/env bash
# Runs a command as on a machine that has Node and nothing else for tests to run on: the command, with all that it
# starts, has mounts of its own, in which the system's browsers, Vulkan drivers and MPI are not there.
#
#   as-bare-machine.sh npm test
#
# Needs Linux, and root or the right to be root in a namespace of one's own.
set -euo pipefail

if [ "${1:-}" != --hide ]; then
  if [ "$(id -u)" = 0 ]; then as_root=(); else as_root=(--map-root-user); fi
  exec unshare --mount "${as_root[@]}" "$0" --hide "$@"
fi
shift

for folder in /etc/vulkan /usr/share/vulkan /usr/local/share/vulkan; do
  if [ -d "$folder" ]; then mount --types tmpfs none "$folder"; fi
done
browsers=$(type -ap chromium chromium-browser google-chrome || true)
loaders=$(ldconfig -p | awk '/libvulkan\.so/ { print $NF }')
launchers=$(type -ap mpirun.openmpi mpirun.mpich || true)
for file in $browsers $loaders $launchers; do
  mount --bind /dev/null "$(readlink -f "$file")"
done
unset LD_LIBRARY_PATH VK_ADD_DRIVER_FILES VK_DRIVER_FILES VK_ICD_FILENAMES
exec "$@"
