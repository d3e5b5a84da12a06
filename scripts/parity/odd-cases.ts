import { family } from './family.ts';

/** Rare options, and what is asked in a way that people seldom ask. */
export const ODD_FAMILIES = [
  family(
    'endpoint options',
    `
    docker network create on1 --subnet 10.213.98.0/24 >/dev/null; docker network create on2 >/dev/null; docker run --rm --mac-address 02:42:00:00:00:21 --network on1 busybox cat /sys/class/net/eth0/address
    docker run --rm --mac-address 02:42:00:00:00:21 busybox cat /sys/class/net/eth0/address
    docker create --name oe --mac-address 02:42:00:00:00:22 --network on1 busybox true >/dev/null; docker inspect oe -f '{{.Config.MacAddress}} {{.NetworkSettings.MacAddress}} {{json .NetworkSettings.Networks.on1}}'; docker rm oe
    docker run --rm --mac-address 02:42:00:00:00:22 --network name=on1,mac-address=02:42:00:00:00:23 busybox true
    docker run --rm --mac-address 02:42:00:00:00:22 --network host busybox true
    docker run --rm --mac-address 02:42:00:00:00:22 --network none busybox true
    docker run --rm --mac-address 02-42-00-00-00-24 --network on1 busybox cat /sys/class/net/eth0/address
    docker run --rm --mac-address 01:00:00:00:00:01 --network on1 busybox true ### refused before anything is made
    docker run --rm --mac-address 00:00:00:00:00:00 --network on1 busybox true ### refused before anything is made
    docker run --rm --mac-address 02:42:00:00:00:00:00:21 --network on1 busybox true ### an address of eight bytes is none of an Ethernet interface: Docker takes six of them
    docker run --rm --network name=on1,mac-address=02:42:00:00:00:00:00:21 busybox true ### as before
    docker run --rm --mac-address 0242.0000.0021 --network on1 busybox cat /sys/class/net/eth0/address
    docker run --rm --network name=on1,ip=10.213.98.77,alias=x,alias=y,mac-address=02:42:00:00:00:25 busybox sh -c 'cat /sys/class/net/eth0/address; ip -4 -o addr show eth0 | cut -d" " -f7; ping -c 1 x | head -1'
    docker run --rm --network name=on1,ip=10.213.97.77 busybox true
    docker run --rm --network name=on1,ip=x busybox true
    docker run --rm --network name=on1,driver-opt=x busybox true
    docker run --rm --network name=on1,driver-opt=com.docker.network.endpoint.ifname=lan0 busybox true; echo $?
    docker run --rm --network alias=x busybox true
    docker run --rm --network name=,alias=x busybox true
    docker run --rm --network name=on1 --network-alias a busybox ping -q -c 1 a | grep -c ' 0% packet loss'
    docker run --rm --network name=on1 --ip 10.213.98.78 busybox sh -c 'ip -4 -o addr show eth0 | cut -d" " -f7'
    docker run --rm --network name=on1,alias=b --network-alias a busybox true
    docker run --rm --network name=on1,ip=10.213.98.79 --ip 10.213.98.78 busybox true
    docker run --rm --network on1 --network on2 --network-alias a busybox sh -c 'ls /sys/class/net | tr "\\n" " "'
    docker run --rm --network name=bridge,alias=x busybox true
    docker run --rm --network name=host,mac-address=02:42:00:00:00:25 busybox true
    docker run --rm --network bridge --network on1 busybox sh -c 'ls /sys/class/net | tr "\\n" " "'
    docker run --rm --network none --network on1 busybox true
    docker run --rm --network on1 --network none busybox true
    docker run --rm --network on1 --network container:x busybox true
    docker run --rm --network on1 --sysctl net.ipv4.conf.eth0.log_martians=1 busybox cat /proc/sys/net/ipv4/conf/eth0/log_martians
    docker run --rm --network on1 --sysctl net.ipv4.conf.eth9.log_martians=1 busybox true ### no shim, and the runtime is crun
    docker run --rm --network host --sysctl net.ipv4.ip_forward=1 busybox true ### no shim, and the runtime is crun
    docker run --rm --network container:nope --sysctl net.ipv4.ip_forward=1 busybox true
    docker run --rm --ipc host --sysctl kernel.shmmax=1 busybox true ### no shim, and the runtime is crun
    docker run --rm --sysctl kernel.domainname=x busybox cat /proc/sys/kernel/domainname
    docker run --rm --uts host --sysctl kernel.domainname=x busybox true
    docker run --rm --sysctl kernel.hostname=x busybox hostname
    docker create --name oe busybox true >/dev/null; docker network connect on1 oe --driver-opt a=b --driver-opt c; docker network connect --alias q --ip 10.213.98.44 on1 oe; docker inspect oe -f '{{json .NetworkSettings.Networks.on1.IPAMConfig}} {{.NetworkSettings.Networks.on1.Aliases}} {{json .NetworkSettings.Networks.bridge}}'; docker network connect --link oe:z on1 oe; docker rm oe
    docker network connect; docker network disconnect x; docker network connect on1 oe1 extra
    docker run -d --name oe --network on1 busybox sleep 1000 >/dev/null; docker network connect --ip 10.213.98.200 on1 oe; docker network disconnect -f on2 oe; docker network disconnect -f on1 oe; docker inspect oe -f '{{json .NetworkSettings.Networks}}'; docker network connect on1 oe; docker exec oe sh -c 'ip -4 -o addr | grep -c 10.213.98'
    docker network disconnect -f on1 nope
    docker network inspect on1 -v -f '{{.Name}} {{len .Containers}} {{.Services}} {{.Peers}}'
    docker network inspect on1 nope -f '{{.Name}}'
    docker network inspect --nope x
    docker network rm on1; docker network rm -f on1 nope
    docker rm -f oe; docker network rm on1 on2
    `,
  ),
  family(
    'network families',
    `
    docker network create -d nope xx
    docker network create -d host xx
    docker network create -d null xx
    docker network create -d bridge --internal --attachable --label a=b --label c -o com.docker.network.bridge.name=pbr0 -o com.docker.network.driver.mtu=1400 nf1 | wc -c; docker network inspect nf1 -f '{{.Internal}} {{.Attachable}} {{.Ingress}} {{.ConfigOnly}} {{json .Options}} {{json .Labels}} {{.EnableIPv6}} {{.Scope}}'; docker run --rm --network nf1 busybox sh -c 'cat /sys/class/net/eth0/mtu; ip route | wc -l'
    docker network create -o com.docker.network.bridge.name=pbr0 nf2 ### in words of its own
    docker network create -o com.docker.network.bridge.name=waytoolongforaninterface nf2 ### in words of its own
    docker network create -o com.docker.network.driver.mtu=x nf2
    docker network create -o com.docker.network.bridge.enable_icc=maybe nf2
    docker network create -o foo=bar nf2 | wc -c; docker network inspect nf2 -f '{{json .Options}}'; docker network rm nf2
    docker network create 'bad name'; docker network rm 'bad name' ### names that no command could tell from something else are refused
    docker network create '' ### in words of its own
    docker network create none
    docker network create host
    docker network create default
    docker network create container:x; docker network rm container:x ### as before
    docker network create nf3 --subnet 10.213.96.0/24 --subnet 10.213.97.0/24
    docker network create nf3 --subnet bad ### all checks of subnets have words of their own
    docker network create nf3 --subnet 10.213.96.1/24 ### as before
    docker network create nf3 --subnet 10.213.96.0/24 --gateway 10.213.97.1
    docker network create nf3 --subnet 10.213.96.0/24 --ip-range 10.213.97.0/25
    docker network create nf3 --subnet 10.213.96.0/24 --aux-address a=10.213.97.1
    docker network create nf3 --gateway 10.213.96.1
    docker network create nf3 --ip-range 10.213.96.0/25
    docker network create nf3 --subnet 10.213.96.0/24 --gateway 10.213.96.1 --gateway 10.213.96.2
    docker network create nf3 --subnet 10.213.96.0/31; docker network rm nf3 ### two addresses are the router's and the broadcast's
    docker network create nf3 --subnet 10.213.96.0/32; docker network rm nf3 ### in words of its own
    docker network create nf3 --subnet 0.0.0.0/0; docker network rm nf3 ### in words of its own
    docker network create nf3 --ipam-driver nope ### in words of its own
    docker network create nf3 --ipam-opt a=b | wc -c; docker network inspect nf3 -f '{{json .IPAM.Options}} {{.IPAM.Driver}}'; docker network rm nf3
    docker network create nf3 --ipv6 --subnet fd00:99::/64 | wc -c; docker network inspect nf3 -f '{{.EnableIPv6}} {{len .IPAM.Config}}'; docker run --rm --network nf3 --ip6 fd00:99::9 busybox sh -c 'ip -6 -o addr show eth0 | grep -c fd00:99::9/64'; docker network rm nf3
    docker network create nf3 --subnet fd00:99::/64; docker network rm nf3
    docker network create nf3 --ipv6; docker network rm nf3 ### a subnet is chosen, as newer daemons do
    docker network create --scope swarm nf3
    docker network create --scope nope nf3; docker network rm nf3
    docker network create --config-only nf3 | wc -c; docker network inspect nf3 -f '{{.ConfigOnly}} {{.Driver}}'; docker network create --config-from nf3 nf4 | wc -c; docker network inspect nf4 -f '{{.ConfigFrom.Network}}'; docker network rm nf4 nf3 ### networks that are only the configuration of others are refused
    docker network create --config-from nope nf4 ### as before
    docker network create --ingress nf4
    docker network ls -f driver=bridge -f scope=local --format '{{.Name}}' | sort
    docker network ls -f id=nope -q; docker network ls -f dangling=true --format '{{.Name}}' | sort; docker network ls -f dangling=x 2>&1 | grep -c dangling; docker network ls -f type=builtin --format '{{.Name}}' | sort; docker network ls -f bogus=1; docker network ls -f scope=x
    docker network ls --format '{{.Internal}} {{.IPv6}} {{.Label "a"}} {{.Name}}' | sort
    docker network prune -f --filter until=1h; docker network prune -f --filter label=zz; docker network prune -f --filter label!=a; docker network prune -f --filter until=bad; docker network prune -f --filter bogus=1; docker network prune -f --filter until=1h --filter until=2h
    docker network create nf5 >/dev/null; sleep 1.1; docker network prune -f --filter until=0s; docker network ls -q -f name=nf | wc -l
    docker network rm
    docker network rm nf1
    docker network create a b
    docker network inspect bridge host none -f '{{.Name}} {{.Driver}} {{.IPAM.Driver}} {{json .IPAM.Options}} {{.Internal}} {{json .Labels}}'
    docker network inspect bridge -f '{{json .Options}}' ### its name, and an MTU that fits the machine's default route
    `,
  ),
  family(
    'volume families',
    `
    docker volume create ''
    docker volume create .x; docker volume create a; docker volume create ab >/dev/null && docker volume rm ab
    docker volume create -o type=tmpfs -o device=tmpfs -o o=size=1m,uid=5 vf1; run --rm -v vf1:/x busybox sh -c 'df -k /x | tail -1 | awk "{print \\$2}"; stat -c %u /x'; docker volume inspect vf1 -f '{{json .Options}} {{.Scope}} {{json .Status}}'
    docker volume create -o type=tmpfs vf1
    docker volume create -o type=tmpfs -o device=tmpfs -o o=size=1m,uid=5 vf1
    docker volume create --label new=1 vf1; docker volume inspect vf1 -f '{{json .Labels}}'
    docker volume create -o type=tmpfs vf2
    docker volume create -o o=bind vf2
    docker volume create -o device=/tmp vf2
    docker volume create -o type=nope -o device=x vf2; run --rm -v vf2:/x busybox true 2>&1 | sed 's,/[^ ]*/data/,,g'; docker volume rm vf2
    docker volume create -o type=none -o o=bind -o device=/no/such vf3; run --rm -v vf3:/x busybox true 2>&1 | sed 's,/[^ ]*/data/,,g'; docker volume rm vf3
    docker volume create -o size=10M vf4
    run -d --name vfc -v vf1:/x -v /anon busybox sleep 1000 >/dev/null; docker volume rm -f vf1; docker volume inspect $(docker inspect -f '{{range .Mounts}}{{if ne .Name "vf1"}}{{.Name}}{{end}}{{end}}' vfc) -f '{{json .Labels}} {{json .Options}} {{.Driver}}'
    docker volume ls -f dangling=false -f name=vf -q; docker volume ls -f dangling=x; docker volume ls -f label=com.docker.volume.anonymous -q | wc -l
    docker volume prune -f | tail -1 | cut -d: -f1; docker volume create vf5 --label keep >/dev/null; docker volume prune -a -f --filter label!=keep | grep -c vf5; docker volume prune -f --filter all=1 | grep vf5
    docker volume prune -f --filter bogus=1; docker volume prune -f --filter all=maybe 2>&1 | grep -c "invalid filter 'all"; docker volume prune -f --filter until=1h; docker volume prune -a --filter all=true -f
    docker volume ls --format '{{.Name}} {{.Mountpoint}}' | grep vf | sed 's,/.*/volumes,,'
    docker volume ls -f driver=nope -f bogus; docker volume ls --format json -f name=vf1 | python3 -c 'import json,sys; print(sorted(json.load(sys.stdin)))'
    docker volume update x; docker volume rm vf1 nope vf1
    docker rm -fv vfc; docker volume rm vf1
    printf 'FROM busybox\\nRUN mkdir /data && echo x > /data/f\\nVOLUME /data\\n' | docker build -q -t volimage - >/dev/null; run -d --name vfc volimage sleep 1000 >/dev/null; docker volume inspect $(docker inspect -f '{{range .Mounts}}{{.Name}}{{end}}' vfc) -f '{{json .Labels}}'; docker inspect vfc -f '{{range .Mounts}}{{.Type}} {{.Destination}} {{.Driver}} {{.Mode}} {{.RW}} {{.Propagation}}{{end}}'; docker rm -fv vfc
    run --rm -v vfn:/data volimage cat /data/f; run --rm -v /data volimage cat /data/f; run --rm --tmpfs /data volimage ls /data; run --rm --mount type=volume,dst=/data volimage ls /data; run --rm -v $TMP:/data volimage true; docker volume ls -q | grep -c vfn; docker volume rm vfn; docker rmi volimage >/dev/null
    `,
  ),
  family(
    'mounts in every form',
    `
    mkdir -p $TMP/m/sub; echo f > $TMP/m/sub/f; run --rm --mount type=bind,source=$TMP/m,target=/m,bind-recursive=disabled busybox cat /m/sub/f
    run --rm --mount type=bind,src=$TMP/m,dst=/m,bind-recursive=readonly busybox true
    run --rm --mount type=bind,src=$TMP/m,dst=/m,ro,bind-recursive=readonly,bind-propagation=rprivate busybox touch /m/x
    run --rm --mount type=bind,src=$TMP/m,dst=/m,ro,bind-recursive=writable busybox touch /m/x
    run --rm --mount type=bind,src=$TMP/m,dst=/m,bind-recursive=nope busybox true
    run --rm --mount type=bind,src=$TMP/m,dst=/m,bind-nonrecursive=true busybox true
    run --rm --mount type=bind,src=$TMP/m,dst=/m,volume-nocopy=true busybox true
    run --rm --mount type=bind,src=$TMP/m,dst=/m,tmpfs-size=1m busybox true
    run --rm --mount type=volume,src=x1,dst=/m,bind-propagation=shared busybox true
    run --rm --mount type=volume,src=x1,dst=/m,tmpfs-size=1m busybox true
    run --rm --mount type=tmpfs,src=x,dst=/m busybox true
    run --rm --mount type=tmpfs,dst=/m,tmpfs-size=x busybox true
    run --rm --mount type=tmpfs,dst=/m,tmpfs-mode=9 busybox true
    run --rm --mount type=tmpfs,dst=/m,ro busybox touch /m/x
    run --rm --mount type=tmpfs,dst=/m,tmpfs-size=-1 busybox true
    run --rm --mount type=tmpfs,dst=/m,tmpfs-mode=0700 busybox stat -c %a /m
    run --rm --mount type=tmpfs,dst=/ busybox true
    run --rm --mount type=npipe,src=a,dst=/m busybox true
    run --rm --mount type=cluster,src=a,dst=/m busybox true
    run --rm --mount type=image,src=busybox,dst=/m busybox true ### Strake has them, for newer clients
    run --rm --mount src=vm1,dst=/m busybox true; docker volume rm vm1
    run --rm --mount dst=/m busybox sh -c 'touch /m/x && echo ok'
    run --rm --mount '' busybox true
    run --rm --mount type=bind busybox true
    run --rm --mount type busybox true
    run --rm --mount type=bind,src=$TMP/m,dst=/m,nope=1 busybox true
    run --rm --mount type=bind,src=$TMP/m,dst=/m,readonly=maybe busybox true
    run --rm --mount type=bind,src=$TMP/m,dst=/m --mount type=bind,src=$TMP/m,dst=/m busybox true
    run --rm --mount type=bind,src=$TMP/m,dst=/m -v $TMP/m:/m busybox true
    run --rm --mount type=bind,src=$TMP/m,dst=/m --tmpfs /m busybox true ### the tmpfs would hide the other mount
    run --rm --tmpfs /m --tmpfs /m:size=1m busybox sh -c 'df -k /m | tail -1 | awk "{print \\$2}"'
    run --rm --mount type=volume,src=vm2,dst=/m,volume-subpath=sub busybox true; docker volume rm vm2 ### in words of its own
    run --rm --mount type=volume,dst=/m,volume-subpath=sub busybox true
    run --rm --mount type=volume,src=vm2,dst=/m busybox mkdir -p /m/sub/x; run --rm --mount type=volume,src=vm2,dst=/m,volume-subpath=sub busybox ls /m; run --rm --mount type=volume,src=vm2,dst=/m,volume-subpath=../x busybox true; run --rm --mount type=volume,src=vm2,dst=/m,volume-subpath=/sub busybox true; docker volume rm vm2
    run --rm --mount type=volume,src=vm3,dst=/m,volume-driver=nope busybox true ### Docker's answer makes the client take the image for missing
    run --rm --mount type=volume,src=vm3,dst=/m,volume-driver=local,volume-opt=type=tmpfs,volume-opt=device=tmpfs,volume-opt=o=size=1m busybox sh -c 'df -k /m | tail -1 | awk "{print \\$2}"'; docker volume inspect vm3 -f '{{json .Options}}'; docker volume rm vm3
    run --rm --mount 'type=volume,src=vm3,dst=/m,"volume-opt=o=size=1m,uid=5",volume-opt=type=tmpfs,volume-opt=device=tmpfs' busybox stat -c %u /m; docker volume rm vm3
    run --rm -v $TMP/m:/m:z busybox cat /m/sub/f; run --rm -v $TMP/m:/m:Z,ro busybox touch /m/x
    run --rm -v $TMP/m:/m:z,Z busybox true
    run --rm -v $TMP/m:/m:cached busybox true; run --rm -v $TMP/m:/m:delegated,ro busybox touch /m/a
    run --rm -v $TMP/m:/m:slave,shared busybox true
    run --rm -v $TMP/m:/m:rw,rprivate busybox sh -c 'grep -c " /m " /proc/self/mountinfo'
    run --rm -v :/m busybox true
    run --rm -v /m: busybox true
    run --rm -v '' busybox true
    run --rm -v /:/host:ro busybox ls -d /host/etc
    run --rm -v $TMP/m/sub/f:/m/f busybox cat /m/f
    run --rm -v $TMP/m/sub/f:/etc busybox true 2>/dev/null; echo $?; run --rm -v $TMP/m:/etc/passwd busybox true 2>/dev/null; echo $?
    run --rm -v $TMP/m/../m/sub:/m/../n busybox cat /n/f
    run --rm -v .:/m busybox true; run --rm -v ./x:/m busybox true; ls -d x
    run --rm -v ~nope:/m busybox true
    run -d --name mf -v $TMP/m:/m:ro -v mfv:/v -v /anon --tmpfs /t busybox sleep 1000 >/dev/null; run --rm --volumes-from mf busybox touch /m/x; run --rm --volumes-from mf:rw busybox sh -c 'touch /v/x; ls /v; ls -d /anon; ls -d /t'
    run --rm --volumes-from mf:z busybox ls /v; run --rm --volumes-from mf:ro,z busybox touch /v/y; run --rm --volumes-from mf:bad busybox true; run --rm --volumes-from mf:ro -v other:/v busybox touch /v/q; docker volume rm other
    run --rm --volumes-from mf --volumes-from mf busybox ls /v; run --name mf2 --volumes-from mf:ro busybox true; docker inspect mf2 -f '{{range .Mounts}}{{.Type}} {{.Destination}} {{.RW}} {{.Mode}}{{println}}{{end}}' | sort; docker inspect mf2 -f '{{.HostConfig.VolumesFrom}} {{json .HostConfig.Binds}}'; docker rm mf2
    docker rm -fv mf; docker volume rm mfv
    run --rm --tmpfs /t:size=10%,mode=1777 busybox stat -c %a /t
    run --rm --tmpfs /t:size=x busybox true ### refused when it is made, not by the kernel
    run --rm --tmpfs /t:noexec,nodev,ro busybox sh -c 'grep " /t " /proc/mounts | cut -d" " -f4'
    run --rm --tmpfs '' busybox true
    run --rm --tmpfs /t: busybox true
    run --rm --tmpfs /:size=1m busybox true
    run --rm --tmpfs /dev/shm:size=2m busybox sh -c 'df -k /dev/shm | tail -1 | awk "{print \\$2}"'
    run --rm --tmpfs /run --tmpfs /var/../tmp busybox sh -c 'grep -c -e " /run " -e " /tmp " /proc/mounts'
    run --name mt --tmpfs /t/../u:size=1m --mount type=tmpfs,dst=/w,tmpfs-size=1m busybox true; docker inspect mt -f '{{json .HostConfig.Tmpfs}} {{json .HostConfig.Mounts}} {{json .Mounts}}'; docker rm mt
    `,
  ),
];
