import { family } from './family.ts';

/** What a program sees: fields and their types, not values. Both answer as one version of the API. */
export const SHAPE_FAMILIES = [
  family(
    'JSON of containers',
    `
    run -d --name sh1 -v shv:/v -v /anon --mount type=bind,src=/tmp,dst=/y,ro --tmpfs /t --health-cmd true -e A=1 -l a=b --expose 80 busybox sleep 1000 >/dev/null; until docker inspect -f '{{len .State.Health.Log}}' sh1 | grep -q 1; do sleep 0.2; done; docker inspect -f '{{range .Mounts}}{{.Type}} {{.Destination}} mode={{.Mode}} {{.RW}}{{println}}{{end}}' sh1 | sort
    shape /v1.41/containers/sh1/json | grep -v KernelMemory ### DNSNames came with version 1.44, and is not shown before
    shape /v1.41/containers/json | grep -v HostConfig ### DNSNames came with version 1.44, and is not shown before
    shape '/v1.41/containers/sh1/stats?stream=0' | grep -v -e memory_stats.stats -e blkio_stats -e percpu
    shape /v1.41/containers/sh1/top
    shape /v1.41/volumes/shv
    shape /v1.41/exec/$(api POST /v1.41/containers/sh1/exec -H 'Content-Type: application/json' -d '{"Cmd":["true"]}' | cut -d'"' -f4)/json
    shape /v1.41/networks/none
    api POST /v1.41/containers/create?name=mini -H 'Content-Type: application/json' -d '{"Image":"busybox","Cmd":"true"}'; shape /v1.41/containers/mini/json | grep -v -e KernelMemory -e null -e list -e dict -e Runtime
    shape /v1.45/containers/sh1/json | grep -v ExecIDs
    shape /v1.45/containers/json
    shape /v1.45/images/busybox/json | grep -v GraphDriver
    shape /v1.45/images/json
    shape /v1.45/volumes/shv; shape /v1.45/networks/none; shape /v1.45/networks/bridge
    shape /v1.45/containers/mini/json | grep -v -e null -e list -e dict -e Runtime
    docker rm -fv sh1 mini; docker volume rm shv
    `,
  ),
  family(
    'options of mounts',
    `
    run --rm --mount type=bind,dst=/x busybox true
    run --rm --mount type=volume,src=m1,dst=/x,volume-nocopy busybox ls /x; docker volume rm m1
    run --rm -v /tmp:/x:ro,rw busybox true
    run --rm -v v1:/x:rslave busybox true
    run --rm -v /tmp:/x:z,nocopy busybox true
    run --rm -v v1:/x:nocopy,ro busybox touch /x/y; docker volume rm v1
    run --rm -v a:b:c:d busybox true
    run --rm --volumes-from '' busybox true
    run --rm --mount type=bind,src=/tmp busybox true
    run --rm --mount type=volume,dst=x busybox true
    run --rm --read-only --tmpfs /t busybox sh -c 'touch /t/a /dev/shm/a && echo ok; touch /etc/hosts'
    run --rm -u 99999999999 busybox id
    run --rm -u :1000 busybox id
    run --rm --log-opt mode=bad busybox true
    run --rm --log-opt mode=blocking --log-opt max-buffer-size=1m busybox true
    run --rm --log-opt mode=non-blocking --log-opt max-buffer-size=1m busybox echo x
    run --rm --log-driver local --log-opt nope=1 busybox true
    run --rm --log-driver local --log-opt max-size=10m --log-opt max-file=3 --log-opt compress=false busybox echo x
    run --rm --device /etc busybox true
    run -d --name hs --health-cmd true --health-interval 200ms busybox sleep 1000 >/dev/null; until docker inspect -f '{{.State.Health.Status}}' hs | grep -qx healthy; do sleep 0.2; done; docker stop -t 0 hs; docker inspect -f '{{.State.Health.Status}} {{.State.Health.FailingStreak}}' hs; docker rm hs
    run -d --name hs --health-cmd 'sleep 5' --health-interval 200ms --health-timeout 300ms --health-retries 1 busybox sleep 1000 >/dev/null; until docker inspect -f '{{.State.Health.Status}}' hs | grep -qx unhealthy; do sleep 0.2; done; docker inspect -f '{{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}' hs; docker rm -f hs
    run --rm --health-cmd true --health-retries -1 busybox true
    run -d --name hs --health-cmd true --health-interval 2000h --health-timeout 3000h busybox sleep 1000 >/dev/null; sleep 0.5; docker inspect -f '{{len .State.Health.Log}} {{.State.Health.Status}}' hs; docker rm -f hs
    run -d --name hs --health-cmd true --health-interval 100ms --health-timeout 1500500us busybox sleep 1000 >/dev/null; until docker inspect -f '{{.State.Health.Status}}' hs | grep -qx healthy; do sleep 0.2; done; timeout 1 docker logs -f --until 2040-01-01 hs; echo $?; docker rm -f hs
    run -d --name hs --oom-score-adj 321 busybox sleep 1000 >/dev/null; docker exec hs cat /proc/self/oom_score_adj; docker rm -f hs
    run --rm --stop-timeout -5 busybox true
    run --rm --volumes-from a:b:c busybox true
    docker create --network none --pid host --security-opt no-new-privileges --name hs busybox true >/dev/null; docker inspect -f '{{.HostConfig.SecurityOpt}}' hs; docker rm hs
    docker create --network host --name hs busybox true >/dev/null; test "$(docker inspect -f '{{.Config.Hostname}}' hs)" = "$(hostname)"; echo $?; docker rm hs
    run --rm --gpus 2 busybox true ### refused when it is made, not when it starts
    run --rm --oom-score-adj 500 --stop-signal 9 --pids-limit -1 --shm-size 0 busybox df -k /dev/shm
    printf 'A=1\\n#c\\nB\\nC=x y\\n' > $TMP/ef; B=q run --rm --env-file $TMP/ef busybox env | sort | grep '^[A-D]='
    run --cidfile $TMP/cid --rm busybox true; wc -c < $TMP/cid
    run --rm --platform linux --pull missing --quiet busybox true
    run --rm --pull never nosuch true
    run -d --name ef busybox sleep 1000 >/dev/null; docker exec -d ef sleep 50; docker top ef -o pid,args | awk '{print $2,$3}' | sort
    docker exec ef '' ### 127 as newer daemons have it
    docker exec -d ef /nope
    docker exec -w relative ef pwd
    docker kill nope
    docker exec -u 0:2000 ef id
    docker exec ef sh -c 'rm -rf /tmp/x; mkdir /tmp/x; rmdir /tmp/x'; docker diff ef
    docker update -m 64m ef ### Docker wants the limit with swap in the same call
    docker rm -f ef
    `,
  ),
];
