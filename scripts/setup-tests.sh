#!/usr/bin/env bash
# Installs from Debian, as root, what tests run on that npm does not bring. Where all is there it does nothing, at once.
#
# - chromium, in which the browser tests run;
# - lavapipe, Mesa's Vulkan driver in software, of Mesa 25 or later: Debian 12 has it among its backports.
#   VK_DRIVER_FILES=/usr/share/vulkan/icd.d/lvp_icd.json lets a process see no other Vulkan driver;
# - Open MPI and MPICH, which live side by side as mpirun.openmpi and mpirun.mpich.
set -euo pipefail

MESA=25
BACKPORTS=/etc/apt/sources.list.d/backports.sources

has_chromium() { [ -x /usr/bin/chromium ]; }
has_mpi() { command -v mpirun.openmpi mpirun.mpich | [ "$(wc -l)" = 2 ]; }
is_mesa() { dpkg --compare-versions "$1" ge "$MESA"; }
has_lavapipe() { is_mesa "$(dpkg-query --show --showformat '${Version}' mesa-vulkan-drivers 2>/dev/null || echo 0)"; }
install() { DEBIAN_FRONTEND=noninteractive apt-get install --yes --quiet=2 --no-install-recommends "$@" >/dev/null; }
update() { apt-get update --quiet=2 -o Acquire::Retries=3; }

# The machine's own entry for updates, with the suite of its backports in its place: its mirror is everyone's.
add_backports() {
  awk -v RS= -v ORS='\n\n' '/-updates/' /etc/apt/sources.list.d/debian.sources |
    sed "s/^Suites:.*/Suites: $1/" >"$BACKPORTS"
  update
}

if has_chromium && has_lavapipe && has_mpi; then exit; fi
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
  echo "scripts/setup-tests.sh needs Debian and root: else install chromium, mesa-vulkan-drivers >= $MESA, openmpi-bin and mpich yourself" >&2
  exit 1
fi

update
has_chromium || install chromium
has_mpi || install openmpi-bin mpich
if ! has_lavapipe; then
  candidate=$(apt-cache policy mesa-vulkan-drivers | sed -n 's/^ *Candidate: //p')
  if is_mesa "$candidate"; then
    install mesa-vulkan-drivers
  else
    suite=$(. /etc/os-release && echo "$VERSION_CODENAME")-backports
    add_backports "$suite"
    install --target-release "$suite" mesa-vulkan-drivers
  fi
fi
has_chromium && has_lavapipe && has_mpi
