import { COPY_FAMILIES } from './copy-cases.ts';
import { family, type ParityFamily } from './family.ts';
import { NAMESPACE_FAMILIES } from './namespace-cases.ts';
import { ODD_FAMILIES } from './odd-cases.ts';
import { PROCESS_FAMILIES } from './process-cases.ts';
import { SHAPE_FAMILIES } from './shape-cases.ts';

export const FAMILIES: readonly ParityFamily[] = [
  family(
    'run: streams, exit codes, names',
    `
    run --rm busybox true
    run --rm busybox false
    run --rm busybox sh -c 'exit 42'
    run --rm busybox /nope ### no shim, and the runtime is crun
    run --rm busybox /etc ### no shim, and the runtime is crun
    run --rm nosuchimage true ### the registry is another one; the exit code is the same
    run --rm busybox sh -c 'echo out; echo err >&2'
    echo hi | run --rm -i busybox cat
    run -d --name one busybox sleep 1000
    run --name one busybox true
    run --name 'bad name' busybox true
    run --name x busybox true
    run --rm --entrypoint echo busybox a b
    run --rm --entrypoint '' busybox echo a
    run --rm -u 1000 busybox id
    run --rm -u app busybox id
    run --rm -u app:root busybox id
    run --rm -u 4000:4001 busybox id
    run --rm -u nobodyhere busybox id
    run --rm -u app:nogroup busybox id
    run --rm --group-add extra --group-add 77 busybox id
    run --rm --group-add nogroup busybox id
    run --rm -u app --group-add 2000 busybox id
    run --rm -w /made/here busybox pwd
    run --rm -w relative busybox pwd
    run --rm -e A=1 -e B busybox env
    run --rm --env-file /dev/null busybox sh -c 'echo $HOME $PATH'
    run --rm -h myhost busybox sh -c 'hostname; cat /etc/hostname'
    run --rm --hostname myhost --domainname dom.ain busybox sh -c 'hostname; cat /etc/hosts | grep myhost'
    run --rm --add-host db:10.0.0.5 busybox grep db /etc/hosts
    run --rm --label a=b -l c busybox true
    run --rm -t busybox tty
    run --rm -it busybox true
    run --rm --init busybox ps -o comm
    run --rm --pid host busybox sh -c 'test -d /proc/1 && echo ok'
    run --rm --uts host busybox true
    run --rm --ipc host busybox true
    run --rm --ipc none busybox ls -d /dev/shm
    run --rm --ipc shareable busybox true
    run --rm --ipc nonsense busybox true
    run --rm --pid nonsense busybox true
    run --rm --uts nonsense busybox true
    run --rm --userns host busybox true
    run --rm --userns nonsense busybox true
    run --rm --cgroupns host busybox true
    run --rm --cgroupns nonsense busybox true
    run --rm --stop-signal SIGNOPE busybox true
    run --rm --isolation default busybox true
    run --rm --isolation hyperv busybox true
    run --rm --runtime nope busybox true
    run --rm --platform linux/s390x busybox true ### the resolver's address is not shown
    run --rm --restart always busybox true
    run --restart sometimes busybox true
    run --restart on-failure:-1 busybox true
    run --restart always:3 busybox true
    run --rm --network nope busybox true
    docker run --rm --network container:nope busybox true
    `,
  ),
  family(
    'run: limits',
    `
    run --rm -m 1m busybox true
    run --rm -m 32m busybox sh -c 'cat /sys/fs/cgroup/memory/memory.limit_in_bytes'
    run --rm -m 32m --memory-swap 16m busybox true
    run --rm --memory-swap 16m busybox true
    run --rm -m 32m --memory-swap 64m busybox true
    run --rm -m 32m --memory-swap -1 busybox true
    run --rm -m 32m --memory-reservation 64m busybox true
    run --rm --memory-reservation 20m busybox cat /sys/fs/cgroup/memory/memory.soft_limit_in_bytes
    run --rm --memory-swappiness 50 busybox cat /sys/fs/cgroup/memory/memory.swappiness
    run --rm --memory-swappiness 101 busybox true
    run --rm --kernel-memory 50m busybox true
    run --rm --oom-kill-disable -m 32m busybox true
    run --rm --oom-score-adj 500 busybox cat /proc/self/oom_score_adj
    run --rm --oom-score-adj 5000 busybox true
    run --rm --cpus 0.5 busybox cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us
    run --rm --cpus 1000 busybox true
    run --rm --cpus 0.5 --cpu-quota 1000 busybox true
    run --rm --cpu-shares 512 busybox cat /sys/fs/cgroup/cpu/cpu.shares
    run --rm --cpu-shares -1 busybox true ### the kernel's own words in Docker
    run --rm --cpu-period 50000 --cpu-quota 25000 busybox cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us
    run --rm --cpu-period 10 busybox true
    run --rm --cpu-quota 10 busybox true
    run --rm --cpuset-cpus 0 busybox cat /sys/fs/cgroup/cpuset/cpuset.cpus
    run --rm --cpuset-cpus 99 busybox true
    run --rm --cpuset-cpus a busybox true
    run --rm --cpuset-mems 0 busybox cat /sys/fs/cgroup/cpuset/cpuset.mems
    run --rm --cpuset-mems 99 busybox true
    run --rm --pids-limit 20 busybox cat /sys/fs/cgroup/pids/pids.max
    run --rm --pids-limit 3 busybox sh -c 'sleep 1 & sleep 1 & sleep 1 & sleep 1 & wait' 2>&1 | head -1
    run --rm --blkio-weight 100 busybox true
    run --rm --blkio-weight 5 busybox true
    run --rm --device-read-bps /dev/$DISK:1mb busybox true
    run --rm --device-write-bps /dev/$DISK:1mb busybox sh -c 'cat /sys/fs/cgroup/blkio/blkio.throttle.write_bps_device | wc -l'
    run --rm --device-read-iops /dev/$DISK:100 busybox sh -c 'cat /sys/fs/cgroup/blkio/blkio.throttle.read_iops_device | wc -l'
    run --rm --device-write-iops /dev/$DISK:100 busybox true
    run --rm --device-read-bps /dev/nope:1mb busybox true
    run --rm --blkio-weight-device /dev/$DISK:200 busybox true
    run --rm --ulimit nofile=100:200 busybox sh -c 'ulimit -n; ulimit -Hn'
    run --rm --ulimit nofile=300:200 busybox true
    run --rm --ulimit nope=1 busybox true
    run --rm --ulimit nproc=50 busybox sh -c 'ulimit -p'
    run --rm --shm-size 10m busybox df -k /dev/shm
    run --rm --shm-size -1 busybox true
    run --rm --storage-opt size=1G busybox true
    run -m 24m --memory-swap 24m --name oom busybox sh -c 'dd if=/dev/zero of=/dev/null bs=100M count=1'; docker inspect -f '{{.State.OOMKilled}} {{.State.ExitCode}}' oom; docker rm -f oom
    `,
  ),
  family(
    'run: security',
    `
    run --rm busybox grep -i '^cap' /proc/self/status
    run --rm --cap-drop ALL busybox grep CapBnd /proc/self/status
    run --rm --cap-add NET_ADMIN --cap-drop CHOWN busybox grep CapBnd /proc/self/status
    run --rm --cap-add ALL busybox grep CapBnd /proc/self/status ### the runtimes know different sets of new capabilities
    run --rm --cap-add CAP_NET_ADMIN busybox grep CapBnd /proc/self/status
    run --rm --cap-add NOPE busybox true
    run --rm --privileged busybox grep CapBnd /proc/self/status ### on a machine with less than all capabilities Docker refuses; Strake gives those that there are
    run --rm --privileged busybox sh -c 'ls /dev | wc -l' | grep -c . ### on a machine with less than all capabilities Docker refuses; Strake gives those that there are
    run --rm --read-only busybox touch /x
    run --rm --read-only --tmpfs /tmp busybox touch /tmp/x
    run --rm --tmpfs /t busybox sh -c 'grep " /t " /proc/mounts'
    run --rm --tmpfs /t:size=1m,mode=700 busybox sh -c 'grep " /t " /proc/mounts'
    run --rm --tmpfs /t:rw,exec,suid busybox sh -c 'grep " /t " /proc/mounts'
    run --rm --tmpfs /t:uid=5,gid=6,nr_inodes=100 busybox sh -c 'grep " /t " /proc/mounts'
    run --rm --tmpfs /t:bad busybox true ### refused when it is made, not when it starts
    run --rm --tmpfs relative busybox true
    run --rm --mount type=tmpfs,dst=/t,tmpfs-size=1m,tmpfs-mode=1770 busybox sh -c 'grep " /t " /proc/mounts'
    run --rm --security-opt no-new-privileges busybox grep NoNewPrivs /proc/self/status
    run --rm --security-opt no-new-privileges=false busybox grep NoNewPrivs /proc/self/status
    run --rm --security-opt seccomp=unconfined busybox grep Seccomp: /proc/self/status
    run --rm busybox grep Seccomp: /proc/self/status
    echo '{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","mkdirat"],"action":"SCMP_ACT_ERRNO"}]}' > $TMP/sec.json; run --rm --security-opt seccomp=$TMP/sec.json busybox mkdir /x
    echo '{' > $TMP/bad.json; run --rm --security-opt seccomp=$TMP/bad.json busybox true
    run --rm --security-opt seccomp=/nope.json busybox true
    run --rm --security-opt apparmor=unconfined busybox true
    run --rm --security-opt label=disable busybox true
    run --rm --security-opt systempaths=unconfined busybox sh -c 'ls /proc/kcore >/dev/null && touch /proc/sys/kernel/hostname && echo writable'
    run --rm --security-opt nope busybox true
    run --rm --security-opt nope=1 busybox true
    run --rm --sysctl net.ipv4.ip_forward=1 busybox cat /proc/sys/net/ipv4/ip_forward
    run --rm --sysctl kernel.shmmax=1000000 busybox cat /proc/sys/kernel/shmmax
    run --rm --sysctl fs.mqueue.msg_max=20 busybox cat /proc/sys/fs/mqueue/msg_max
    run --rm --sysctl kernel.panic=1 busybox true
    run --rm --sysctl nope busybox true
    run --rm --device /dev/null:/dev/mynull busybox sh -c 'echo x > /dev/mynull && ls -l /dev/mynull | cut -c1'
    run --rm --device /dev/null:/dev/ro:r busybox sh -c 'echo x > /dev/ro'
    run --rm --device /dev/nope busybox true
    run --rm --device /dev/null:/dev/x:q busybox true
    run --rm --device-cgroup-rule 'c 1:3 rwm' busybox true
    run --rm --device-cgroup-rule 'bad' busybox true
    run --rm busybox sh -c 'ls /dev | sort | tr "\\n" " "' ### crun makes /dev/core
    run --rm busybox sh -c 'cat /proc/sysrq-trigger; echo x > /proc/sys/kernel/hostname' ### the shells name the file in another order
    run --rm --gpus all busybox true ### refused when it is made, not when it starts
    `,
  ),
  family(
    'run: mounts',
    `
    mkdir -p $TMP/b && echo in > $TMP/b/f; run --rm -v $TMP/b:/b busybox cat /b/f
    run --rm -v $TMP/b:/b:ro busybox touch /b/x
    run --rm -v $TMP/new:/b busybox ls -d /b; test -d $TMP/new && echo made
    run --rm -v $TMP/b:/b:bad busybox true
    run --rm -v $TMP/b:relative busybox true
    run --rm -v $TMP/b:/ busybox true
    run --rm -v $TMP/b:/b -v $TMP/b:/b busybox true
    run --rm --mount type=bind,src=$TMP/b,dst=/b,readonly busybox touch /b/x
    run --rm --mount type=bind,src=$TMP/none,dst=/b busybox true
    run --rm --mount type=bind,src=relative,dst=/b busybox true
    run --rm --mount type=nope,src=x,dst=/b busybox true
    run --rm --mount type=volume,dst=/b,src=mv,volume-label=x=y busybox touch /b/f; docker volume inspect -f '{{.Labels}}' mv; docker volume rm mv
    run --rm --mount type=bind,src=$TMP/b,dst=/b,bind-propagation=rshared busybox true
    run --rm --mount type=bind,src=$TMP/b,dst=/b,bind-propagation=bad busybox true
    run -d --name src -v /v1 -v $TMP/b:/b2 busybox sh -c 'echo s > /v1/s; sleep 1000' >/dev/null; sleep 0.5; run --rm --volumes-from src busybox cat /v1/s /b2/f
    run --rm --volumes-from src:ro busybox touch /v1/t
    run --rm --volumes-from nope busybox true
    docker rm -fv src
    run --rm -v named1:/etc busybox cat /etc/passwd
    run --rm -v named1:/x busybox cat /x/passwd
    run --rm -v named2:/etc:nocopy busybox ls /etc
    run --rm -v a/b:/x busybox true
    run --rm -v x:/x busybox true ### the client sends a mount path x:/x, which Docker mounts
    docker volume rm named1 named2
    `,
  ),
  family(
    'cp',
    `
    run -d --name cc -v /v -v named:/n -v $TMP/b:/b:ro --tmpfs /tf busybox sleep 10000 >/dev/null; docker exec cc sh -c 'mkdir -p /data/sub; echo hi > /data/f; ln -s f /data/l; ln -s /etc/../../../../etc /data/out; ln -s /nowhere /data/dang; ln -s sub /data/dl; echo in > /v/x; echo n >/n/y'; mkdir -p loc/dir/sub; echo a > loc/f; ln -sfn f loc/l; echo b>loc/dir/g; ln -sfn dir loc/dl
    docker cp cc:/nope .
    docker cp cc:/data/nope/ .
    docker cp cc:/data/f/ .
    docker cp nope cc:/
    docker cp loc/f cc:/nodir/
    docker cp loc/f cc:/nodir/x
    docker cp loc/f cc:/b/x
    docker cp loc/f cc:/data/sub
    docker cp loc/f cc:/data/dang
    docker cp nocont:/x .
    docker cp cc:/x cc:/y
    docker cp a b
    docker cp - cc:/data/f </dev/null
    docker cp - cc:/data </dev/null
    docker cp - cc:/data/nope </dev/null
    docker cp - cc:/data < loc/f ### the tar reader has its own words
    docker cp loc/f cc:/etc/hosts
    docker cp cc:/data/f - | tar tf -
    docker cp cc:/etc/hosts - | tar tf -
    docker cp cc:/data - | tar tf -
    docker cp cc:/data/. - | tar tf -
    docker cp cc:/data/dl/ - | tar tf -
    docker cp -L cc:/data/l - | tar tf -
    docker cp cc:/data/l - | tar tf -
    docker cp cc:/data/out/passwd - | tar tf -
    docker cp cc:/tf - | tar tf -
    docker cp cc:/v - | tar tf -
    docker cp cc:/n/y - | tar tf -
    docker cp '' cc:/x
    docker cp cc: . ### Docker's message lacks a space
    docker cp loc/l cc:/data/L1
    docker cp -L loc/l cc:/data/L2
    docker cp loc/dir/. cc:/data/D1
    docker cp loc/dir cc:/data/D2
    docker cp loc/dir cc:/data/
    docker cp loc/f cc:/v/zz
    docker cp loc/f cc:/data/sub/../q
    docker cp loc/dl cc:/data/Q1
    docker cp loc/dl/ cc:/data/Q2
    chown 55:66 loc/dir/g; docker cp loc/dir/g cc:/data/own1; docker cp -a loc/dir/g cc:/data/own2
    docker exec cc sh -c 'find /data /v | sort | xargs ls -lnd' | awk '{print $1, $3, $4, $9, $10, $11}'
    rm -rf o; mkdir o; docker cp cc:/data/sub o/; docker cp cc:/data/f o/ff; docker cp cc:/data/f o/nod/x
    docker cp cc:/data/f o/nod/
    docker cp cc:/data/sub o/ff
    docker cp cc:/data/l o/; docker cp -L cc:/data/l o/LL; docker cp cc:/data/D2/. o/P; find o | sort
    docker rm -f -v cc >/dev/null; docker volume rm named; docker create --network none --name cc -v /v -v named:/n:ro --read-only busybox true >/dev/null
    docker cp loc/f cc:/x
    docker cp loc/f cc:/n/y
    docker cp loc/f cc:/v/y; docker cp cc:/v - | tar tf -
    docker rm -f -v cc; docker volume rm named
    run -d --name cc busybox sleep 1000 >/dev/null; docker exec cc sh -c 'mkdir -p /data/sub; echo hi > /data/f'
    docker cp - cc:/data < $TARS/dotdot.tar
    docker cp - cc:/data < $TARS/absolute.tar
    docker cp - cc:/data < $TARS/symlink.tar
    docker cp - cc:/data < $TARS/symlink-absolute.tar
    docker cp - cc:/data < $TARS/hardlink.tar
    docker cp - cc:/data < $TARS/over-folder.tar
    docker cp - cc:/data < $TARS/over-file.tar
    docker exec cc sh -c 'find /data /tmp | sort'; docker rm -f cc
    `,
  ),
  family(
    'diff',
    `
    run -d --name cc busybox sleep 1000 >/dev/null; docker diff cc
    docker exec cc sh -c 'mkdir /new; echo a > /new/f; echo b >> /etc/passwd; rm /bin/ls; rm -r /root; mkdir /root; echo c > /root/c; chmod 700 /tmp; mv /etc/group /etc/grp'; docker diff cc ### Strake sorts by path
    docker diff nope
    docker stop -t 0 cc >/dev/null; docker diff cc | tail -3; docker rm cc ### Strake sorts by path
    `,
  ),
  family(
    'volume',
    `
    docker volume create vv1 --label a=b
    docker volume create --name vv2 --label c
    docker volume create vv1
    docker volume create 'a/b'
    docker volume create -d nfs xx
    docker volume create -o foo=bar vbad
    docker volume create x
    docker volume create --name x1 x2
    docker volume ls
    docker volume ls -q
    docker volume ls -f label=a
    docker volume ls -f label=a=c
    docker volume ls -f name=vv
    docker volume ls -f driver=local -q
    docker volume ls -f driver=other -q
    docker volume ls -f dangling=true -q
    docker volume ls -f bogus=1
    docker volume ls --format '{{.Name}} {{.Driver}} {{.Scope}} {{.Labels}} {{.Label "a"}}'
    run -d --name vc -v vv1:/x busybox sleep 1000 >/dev/null; docker volume ls -f dangling=true -q
    docker volume rm vv1
    docker volume rm nope
    docker volume rm -f nope
    docker volume rm
    docker volume inspect vv1 nope | grep -v Mountpoint
    docker volume inspect -f '{{.Name}} {{.Labels}} {{.Options}}' vv2 vv1
    docker volume create; docker volume prune -f --filter label=zz
    docker system df -v | grep -A3 'Local Vol' | head -3
    docker rm -f vc; docker volume rm vv1 vv2
    run --rm -v /anon2 -v nn:/q busybox sh -c 'echo 1 > /anon2/f'; docker volume ls -q | grep -c nn
    run -d --name vc -v /anon3 busybox true >/dev/null; sleep 0.5; docker rm -v vc; docker volume rm nn
    docker volume create -o type=none -o o=bind -o device=$TMP/b vbind; run --rm -v vbind:/x busybox cat /x/f; docker volume rm vbind; cat $TMP/b/f
    `,
  ),
  family(
    'update',
    `
    run -d --name up -m 64m --memory-swap 128m busybox sleep 1000 >/dev/null
    docker update -m 32m up; docker exec up cat /sys/fs/cgroup/memory/memory.limit_in_bytes; docker inspect -f '{{.HostConfig.Memory}}' up
    docker update --cpus 0.5 up; docker inspect -f '{{.HostConfig.NanoCpus}}' up
    docker update --cpu-quota 1000 up
    docker update --cpu-shares 300 up; docker exec up cat /sys/fs/cgroup/cpu/cpu.shares
    docker update --pids-limit 30 up; docker exec up cat /sys/fs/cgroup/pids/pids.max
    docker update --pids-limit -1 up; docker inspect -f '{{.HostConfig.PidsLimit}}' up
    docker update --restart always up; docker inspect -f '{{.HostConfig.RestartPolicy}}' up
    docker update --restart bad up
    docker update -m 1m up
    docker update -m 500m up
    docker update --memory-reservation 20m up; docker inspect -f '{{.HostConfig.MemoryReservation}} {{.HostConfig.RestartPolicy.Name}}' up
    docker update --cpuset-cpus 0 up; docker exec up cat /sys/fs/cgroup/cpuset/cpuset.cpus
    docker update --blkio-weight 300 up
    docker update nope
    docker update
    docker update -m 40m up nope
    docker stop -t 0 up >/dev/null; docker update -m 48m up; docker inspect -f '{{.HostConfig.Memory}}' up; docker rm -f up
    run -d --rm --name up busybox sleep 1000 >/dev/null; docker update --restart always up; docker rm -f up
    `,
  ),
  family(
    'life: create, start, stop, kill, pause, rename, wait, rm',
    `
    docker create --network none --name li busybox sh -c 'trap "exit 5" TERM; while :; do sleep 0.1; done'
    docker start nope
    docker start li; docker start li
    docker ps --format '{{.Names}} {{.State}}'
    docker pause li; docker inspect -f '{{.State.Status}} {{.State.Paused}} {{.State.Running}}' li
    docker pause li
    docker exec li true
    docker start li
    docker rm li
    docker unpause li; docker unpause li
    docker kill -s NOPE li
    docker kill -s 0 li
    docker rename li lj; docker rename lj lj
    docker rename lj ''
    docker rename nope x1
    docker rm lj
    docker stop -t 5 lj; docker inspect -f '{{.State.ExitCode}} {{.State.Status}}' lj
    docker stop lj
    docker kill lj
    docker wait lj
    docker wait nope
    docker restart -t 0 lj; docker inspect -f '{{.State.Status}}' lj
    docker kill lj; docker wait lj
    docker start -a lj & sleep 0.7; docker kill -s TERM lj; wait
    docker start -i lj & sleep 0.7; docker kill lj; wait
    docker rm lj
    docker rm lj
    docker rm -f lj
    docker rm
    docker create --network none --name r1 busybox true >/dev/null; docker create --network none --name r2 busybox true >/dev/null; docker rm r1 nope r2
    docker create --network none --name pr --label k=v busybox true >/dev/null; docker container prune -f --filter label=k=w; docker container prune -f --filter label=k=v | tail -1
    docker container prune -f --filter bogus=1
    docker container prune -f --filter until=nonsense
    run -d --name sd --stop-timeout 1 --stop-signal KILL busybox sleep 1000 >/dev/null; docker stop sd; docker inspect -f '{{.State.ExitCode}} {{.Config.StopSignal}} {{.Config.StopTimeout}}' sd; docker rm sd
    run --name ex -d busybox sleep 1000 >/dev/null; docker exec ex sh -c 'exit 9'
    docker exec ex /nope ### 127 as newer daemons have it
    docker exec ex /etc
    docker exec -u nobodyhere ex id
    docker exec -u app ex id
    docker exec -w /nope ex pwd
    docker exec -e X=1 ex sh -c 'echo $X'
    docker exec -d ex touch /tmp/d; sleep 0.3; docker exec ex ls /tmp
    docker exec --privileged ex grep CapBnd /proc/self/status ### on a machine with less than all capabilities Docker refuses; Strake gives those that there are
    echo in | docker exec -i ex cat
    docker exec nope true
    docker top ex -o pid,comm | tail -1 | awk '{print $2}'
    docker top ex -o comm
    docker top ex -z
    docker top nope
    docker port ex
    docker port ex 80
    docker port nope
    docker attach nope
    docker stop -t 0 ex; docker exec ex true
    docker top ex
    docker attach ex
    docker rm ex
    run --restart on-failure:2 --name rs -d busybox false >/dev/null; until docker inspect -f '{{.State.Status}}{{.RestartCount}}' rs | grep -q exited2; do sleep 0.1; done; docker inspect -f '{{.RestartCount}} {{.State.Status}} {{.State.ExitCode}}' rs; docker rm rs
    docker stats --no-stream --format '{{.Name}} {{.PIDs}}'
    docker stats --no-stream nope
    run -d --rm --name rr busybox sleep 1000 >/dev/null; docker restart -t 0 rr; docker ps --filter name=rr --format '{{.Names}} {{.State}}'; docker rm -f rr
    run -d --name st busybox sh -c 'trap "" TERM; while :; do sleep 0.1; done' >/dev/null; (timeout 20 docker stop -t 3000000 st >/dev/null; echo stop $?) & sleep 1; docker rename st st2; docker update -m 64m --memory-swap 128m st2; docker cp st2:/etc/passwd - | tar tf -; docker start st2; docker kill st2; wait; docker ps -a --filter name=st2 --format '{{.State}}'; docker rm st2
    `,
  ),
  family(
    'ps',
    `
    run -d --name p1 --label a=b -v vps:/vol busybox sleep 1000 >/dev/null; docker create --network none --name p2 --label a=c --expose 80 busybox true >/dev/null; run --name p3 busybox sh -c 'exit 3'
    docker ps --format '{{.Names}} {{.Status}}' | sed 's/Up .*/Up/'
    docker ps -a --format '{{.Names}} {{.State}} {{.Command}} {{.Image}} {{.Labels}} {{.Mounts}} {{.Ports}} {{.Networks}}'
    docker ps -aq | wc -l
    docker ps -l --format '{{.Names}}'
    docker ps -n 2 --format '{{.Names}}'
    docker ps -a -s --format '{{.Names}} {{.Size}}' ### sizes count what is in the files, and not the folders
    docker ps -a -f status=exited --format '{{.Names}}'
    docker ps -f status=created --format '{{.Names}}'
    docker ps -f status=nope
    docker ps -a -f exited=3 --format '{{.Names}}'
    docker ps -a -f exited=x ### the message names the filter
    docker ps -a -f label=a --format '{{.Names}}'
    docker ps -a -f label=a=c --format '{{.Names}}'
    docker ps -a -f name=p1 --format '{{.Names}}'
    docker ps -a -f 'name=^p' --format '{{.Names}}'
    docker ps -a -f volume=vps --format '{{.Names}}'
    docker ps -a -f volume=/vol --format '{{.Names}}'
    docker ps -a -f ancestor=busybox --format '{{.Names}}'
    docker ps -a -f ancestor=nope --format '{{.Names}}'
    docker ps -a -f before=p2 --format '{{.Names}}'
    docker ps -a -f since=p2 --format '{{.Names}}'
    docker ps -a -f since=nope --format '{{.Names}}'
    docker ps -a -f expose=80 --format '{{.Names}}'
    docker ps -a -f publish=80 --format '{{.Names}}'
    docker ps -a -f publish=x --format '{{.Names}}' ### the message says what is expected
    docker ps -a -f network=none --format '{{.Names}}'
    docker ps -a -f health=none --format '{{.Names}}'
    docker ps -a -f health=nope
    docker ps -a -f is-task=true
    docker ps -a -f bogus=1
    docker ps -a -f bogus
    docker ps -a --format '{{.Nope}}'
    docker ps -a --format 'table {{.Names}}\\t{{.Image}}'
    docker ps -a --no-trunc --format '{{.ID}}' | head -1 | wc -c
    docker rm -f p1 p2 p3; docker volume rm vps
    `,
  ),
  family(
    'logs',
    `
    run -d --name lg busybox sh -c 'echo one; echo two >&2; echo three; printf four' >/dev/null; docker wait lg; docker logs lg 2>/dev/null
    docker logs lg 2>&1 >/dev/null
    docker logs --tail 4 lg 2>/dev/null
    docker logs --tail 0 lg
    docker logs --tail x lg 2>/dev/null
    docker logs -n 9 lg 2>&1 >/dev/null
    docker logs -t lg 2>/dev/null | sed 's/^[^ ]*Z /TIME /'
    docker logs --since 1h lg 2>/dev/null
    docker logs --since 2001-01-01T00:00:00Z lg 2>/dev/null
    docker logs --since 0s lg 2>/dev/null
    docker logs --until 1h lg
    docker logs --until 2001-01-01 lg
    docker logs --since nonsense lg
    docker logs -f lg 2>/dev/null
    docker logs nope
    docker logs --details lg 2>/dev/null
    docker rm lg
    run -d --name lg --log-driver none busybox echo x >/dev/null; docker wait lg; docker logs lg; docker rm lg
    run --log-driver nope busybox true
    run --log-opt nope=1 busybox true
    run --log-opt max-size=bad busybox true ### refused when it is made, not when it starts
    run --log-opt max-file=0 --log-opt max-size=1k busybox true ### refused when it is made, not when it starts
    run --log-opt max-file=2 busybox true
    run -d --name lg --log-opt max-size=2k --log-opt max-file=2 busybox sh -c 'for i in $(seq 1 200); do echo line $i; done' >/dev/null; docker wait lg; docker logs lg | tail -1; test $(docker logs lg | wc -l) -lt 200 && echo rotated; docker logs --tail 3 lg; docker inspect -f '{{.HostConfig.LogConfig}}' lg; docker rm lg
    run -d --name lg --log-opt tag=x --label lb=1 -e EV=2 --log-opt labels=lb --log-opt env=EV busybox echo x >/dev/null; docker wait lg; docker logs --details lg; docker rm lg
    run -t -d --name lg busybox echo tty >/dev/null; docker wait lg; docker logs lg | od -c | head -2; docker rm lg
    run -d --name lg busybox sh -c 'echo a; sleep 1; echo b' >/dev/null; docker logs -f lg; docker rm lg
    `,
  ),
  family(
    'events',
    `
    since=$(date +%s); run --name ev --label k=v busybox true; docker rm ev >/dev/null; sleep 1.1; docker events --since $since --until 0s --filter container=ev --format '{{.Type}} {{.Action}}'
    docker events --since 1h --until 0s --filter event=die --filter container=ev --format '{{.Action}} {{index .Actor.Attributes "exitCode"}}'
    docker events --since 1h --until 0s --filter label=k=v --filter event=create --format '{{.Actor.Attributes.name}}'
    docker events --since 1h --until 0s --filter type=volume --filter volume=nope
    docker events --since 1h --until 0s --filter image=busybox --filter event=destroy --filter container=ev --format '{{.Status}} {{.From}}'
    docker events --since 0s --until 1h
    docker events --since nonsense --until 0s
    docker events --since 1h --until 0s --filter bogus=1 2>&1 | tail -1 ### Docker ignores filters that it does not know
    docker events --since 1h --until 0s --filter type=bogus
    docker events --since 1h --until 0s --filter scope=swarm
    docker volume create vev >/dev/null; run --rm -v vev:/x busybox true; docker volume rm vev >/dev/null; sleep 1.1; docker events --since 1h --until 0s --filter volume=vev --format '{{.Action}} {{index .Actor.Attributes "destination"}} {{index .Actor.Attributes "read/write"}} {{index .Actor.Attributes "driver"}}' | uniq
    run -d --name ev busybox sleep 100 >/dev/null; docker exec ev true; docker pause ev >/dev/null; docker unpause ev >/dev/null; docker update -m 32m --memory-swap 64m ev >/dev/null; docker rename ev ew; docker top ew >/dev/null; docker cp ew:/etc/passwd - >/dev/null; docker stop -t 0 ew >/dev/null; docker start ew >/dev/null; docker restart -t 0 ew >/dev/null; docker kill ew >/dev/null; docker rm ew >/dev/null; sleep 1.1; docker events --since 1h --until 0s --filter container=ew --format '{{.Action}}' ### a stop is told after the end that it brought; Docker tells them in either order
    `,
  ),
  family(
    'health',
    `
    run -d --name he --health-cmd 'test -e /ok' --health-interval 300ms --health-retries 2 --health-timeout 2s busybox sleep 1000 >/dev/null; until docker inspect -f '{{.State.Health.Status}}' he | grep -q unhealthy; do sleep 0.1; done; docker inspect -f '{{(index .State.Health.Log 0).ExitCode}}' he; docker exec he touch /ok; until docker inspect -f '{{.State.Health.Status}}' he | grep -qx healthy; do sleep 0.1; done; docker inspect -f '{{.State.Health.Status}} {{.State.Health.FailingStreak}}' he; docker ps --filter health=healthy --format '{{.Names}}'; docker rm -f he
    run -d --name he --health-cmd '/no/such/check' --health-interval 200ms --health-retries 1 busybox sleep 1000 >/dev/null; until docker inspect -f '{{len .State.Health.Log}}' he | grep -q '[1-9]'; do sleep 0.1; done; docker inspect -f '{{.State.Health.Status}} {{(index .State.Health.Log 0).ExitCode}} {{(index .State.Health.Log 0).Output}}' he; docker rm -f he
    run --rm --no-healthcheck busybox true
    run --rm --no-healthcheck --health-cmd x busybox true
    run --rm --health-interval -1s busybox true
    run --rm --health-cmd true --health-interval 1us busybox true
    `,
  ),
  family(
    'inspect and arguments',
    `
    docker create --network none --name in --cpus 1.5 -m 64m --memory-swap 128m --init --group-add 5 --sysctl net.ipv4.ip_forward=1 --tmpfs /t:size=1m --ulimit nofile=5:6 --device /dev/null --cap-add NET_ADMIN --security-opt no-new-privileges --read-only --restart on-failure:4 --log-opt max-size=1m --log-opt max-file=3 --stop-timeout 7 --pids-limit 9 --oom-score-adj 5 --shm-size 1m --dns 1.1.1.1 busybox a b >/dev/null
    docker inspect -f '{{json .HostConfig.Tmpfs}} {{json .HostConfig.Ulimits}} {{json .HostConfig.Devices}} {{json .HostConfig.CapAdd}} {{json .HostConfig.SecurityOpt}} {{json .HostConfig.RestartPolicy}} {{json .HostConfig.LogConfig}}' in
    docker inspect -f '{{.HostConfig.NanoCpus}} {{.HostConfig.Memory}} {{.HostConfig.MemorySwap}} {{.HostConfig.Init}} {{.HostConfig.GroupAdd}} {{json .HostConfig.Sysctls}} {{.HostConfig.ReadonlyRootfs}} {{.HostConfig.PidsLimit}} {{.HostConfig.OomScoreAdj}} {{.HostConfig.ShmSize}} {{.HostConfig.Dns}}' in
    docker inspect -f '{{.State.Status}} {{.State.Running}} {{.State.ExitCode}} {{.State.StartedAt}} {{.Path}} {{.Args}} {{.Name}} {{.RestartCount}} {{.Driver}}' in
    docker inspect -f '{{json .Config.Cmd}} {{json .Config.Labels}} {{.Config.StopTimeout}} {{.Config.AttachStdout}}' in
    docker inspect -f '{{json .Mounts}}' in
    docker inspect --type image in
    docker inspect -s -f '{{.SizeRw}}' in
    docker inspect nope
    docker inspect -f '{{.Nope}}' in
    docker rm in
    docker create busybox --nope
    docker create --nope busybox
    docker run
    docker exec
    docker kill
    docker cp x
    docker update --nope x
    `,
  ),
  ...NAMESPACE_FAMILIES,
  ...SHAPE_FAMILIES,
  ...ODD_FAMILIES,
  ...PROCESS_FAMILIES,
  ...COPY_FAMILIES,
];
