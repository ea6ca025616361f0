# the images, one a target: shipper, indexer, omphalos. `make images` builds them under the names that the compose files use.
# the name of the base image is in .env and nowhere else:
#   docker build --build-arg "$(grep ^RUST_IMAGE= .env)" --target shipper --tag omphalos-shipper .
# time and memory of the build, and arm64: docs/compose.md
# the images hold static programs, the usual certificate authorities and nothing else: no shell, no libraries.
# plain instructions only, without cache mounts: so every builder can do it, Docker's older one and podman's as well
ARG RUST_IMAGE

# the crates without their sources: what decides which dependencies there are, whichever crates there may be
FROM ${RUST_IMAGE} AS manifests
WORKDIR /src
COPY . .
RUN find . -type f ! -name Cargo.toml ! -name Cargo.lock ! -name main.rs -delete && \
    find . -type d -empty -delete && \
    for manifest in */Cargo.toml; do mkdir -p "${manifest%/*}/src" && : >"${manifest%/*}/src/lib.rs"; done && \
    echo 'fn main() {}' >/main.rs && \
    find . -name main.rs -exec cp /main.rs {} \;

# glibc, linked statically. musl would do (rust:...-alpine in .env), but its memcpy makes the shipper half as fast
FROM ${RUST_IMAGE} AS build
# of Cargo.toml. `release` has fat LTO, which takes more memory and much longer
ARG PROFILE=quick
# compilers at a time: with two, the build takes 1.7 GiB
ARG JOBS=2
ENV RUSTFLAGS="-C target-feature=+crt-static"
WORKDIR /src
# a layer of its own, built again only when they change: the dependencies, which take most of the time.
# the target is named because RUSTFLAGS would else be for macros too, and these cannot be static
COPY --from=manifests /src .
RUN cargo build --profile "$PROFILE" --jobs "$JOBS" --locked --target "$(rustc --print host-tuple)" \
        --package omphalos-shipper --package omphalos-indexer --package omphalos
COPY . .
# cargo goes by times, and the sources may be older than the empty ones.
# the last line proves that the programs need no library
RUN find . -path ./target -prune -o -name '*.rs' -exec touch {} + && \
    cargo build --profile "$PROFILE" --jobs "$JOBS" --locked --target "$(rustc --print host-tuple)" \
        --package omphalos-shipper --package omphalos-indexer --package omphalos && \
    mkdir -p /image/bin /image/state && \
    for program in omphalos omphalos-shipper omphalos-indexer; do cp target/*/"$PROFILE"/$program /image/bin/ || exit; done && \
    for program in /image/bin/*; do chroot /image "/bin/${program##*/}" --version || exit; done

FROM scratch AS runtime
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/
COPY --from=build /image/bin/omphalos /usr/local/bin/
# a number, so that Kubernetes can tell that it is not root
USER 10001:10001
ENV PATH=/usr/local/bin
STOPSIGNAL SIGTERM

FROM runtime AS indexer
LABEL org.opencontainers.image.title="omphalos-indexer" \
      org.opencontainers.image.licenses="Apache-2.0 OR MIT"
COPY --from=build /image/bin/omphalos-indexer /usr/local/bin/
# for the health check alone; 0.0.0.0:9187 lets others have the metrics
ENV OMPHALOS_LISTEN=127.0.0.1:9187
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["omphalos-indexer", "health"]
ENTRYPOINT ["omphalos-indexer"]

FROM runtime AS shipper
LABEL org.opencontainers.image.title="omphalos-shipper" \
      org.opencontainers.image.licenses="Apache-2.0 OR MIT"
COPY --from=build /image/bin/omphalos-shipper /usr/local/bin/
# the owner goes over to a volume that is mounted here for the first time
COPY --from=build --chown=10001:10001 /image/state /var/lib/omphalos-shipper
VOLUME /var/lib/omphalos-shipper
ENV OMPHALOS_LISTEN=127.0.0.1:9186
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["omphalos-shipper", "health"]
ENTRYPOINT ["omphalos-shipper"]

FROM runtime AS omphalos
LABEL org.opencontainers.image.title="omphalos" \
      org.opencontainers.image.licenses="Apache-2.0 OR MIT"
COPY --from=build --chown=10001:10001 /image/state /var/lib/omphalos
VOLUME /var/lib/omphalos
ENV OMPHALOS_STATE_DIR=/var/lib/omphalos OMPHALOS_LISTEN=127.0.0.1:9188
HEALTHCHECK --interval=15s --timeout=5s --start-period=30s CMD ["omphalos", "run", "health"]
ENTRYPOINT ["omphalos"]
CMD ["run"]
