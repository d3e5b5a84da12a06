import { family } from './family.ts';

/** Namespaces that containers share, and networks, which `docker` uses here as it does by itself. */
export const NAMESPACE_FAMILIES = [
  family(
    'namespaces of others',
    `
    docker run -d --name base --ipc shareable --shm-size 10m busybox sh -c 'touch /dev/shm/x; sleep 1000' >/dev/null; docker run --rm --pid container:base busybox ps -o comm
    docker run --rm --ipc container:base busybox ls /dev/shm
    docker run -d --name joined --ipc container:base busybox sleep 1000 >/dev/null; docker run --rm --ipc container:joined busybox ls /dev/shm
    docker run --rm --ipc container:nope busybox true
    docker run --rm --pid container:nope busybox true
    docker run -d --name alone busybox sleep 1000 >/dev/null; docker run --rm --ipc container:alone busybox true
    docker create --name stopped busybox true >/dev/null; docker run --rm --ipc container:stopped busybox true
    docker run --rm --network container:stopped busybox true
    docker run --rm --network container:base busybox hostname | wc -c
    docker run --rm --network container:base -h foo busybox true
    docker run --rm --network container:base -p 80:80 busybox true
    docker run --rm --network container:base --dns 1.1.1.1 busybox true
    docker run --rm --network container:base --add-host a:1.1.1.1 busybox true
    docker run --rm --network container:base --link base busybox true
    docker run --rm --network container:base --expose 80 busybox true
    docker run --rm --network host -p 80:80 busybox true
    docker run --rm --network host --link base busybox true
    docker run --rm --network host -h foo busybox hostname
    docker run --rm --uts host -h foo busybox true
    docker run --rm --ipc host busybox df /dev/shm | tail -1 | awk '{print $6}'
    docker run --rm --link nope busybox true
    docker run --name lk --ipc container:nope busybox true; docker inspect lk
    docker run --name lk --link nope busybox true; docker inspect lk
    docker run --rm --link base:db busybox grep -c db /etc/hosts
    docker run --rm -h a.b.c busybox sh -c 'tail -1 /etc/hosts | cut -f2; hostname -f'
    docker run --rm -h a --domainname d.e busybox sh -c 'hostname; tail -1 /etc/hosts | cut -f2; cat /proc/sys/kernel/domainname'
    docker run --rm --cgroup-parent /made busybox grep -c /made/ /proc/self/cgroup ### the runtime makes no group in the v2 tree, which nobody uses here
    docker rm -f base joined alone stopped
    `,
  ),
  family(
    'networks',
    `
    docker network create pn1 --label x=y --subnet 10.213.99.0/24 --gateway 10.213.99.254 --ip-range 10.213.99.128/25 --aux-address a=10.213.99.129 >/dev/null; docker network inspect pn1 -f '{{.Name}} {{.Driver}} {{json .IPAM.Config}} {{.Labels}} {{.Internal}} {{.Attachable}}'
    docker run -d --name nn1 --network pn1 --network-alias al --ip 10.213.99.5 -p 127.0.0.1::80 -P --expose 81 busybox sleep 1000 >/dev/null; docker exec nn1 cat /etc/resolv.conf; docker port nn1 | sed 's/:[0-9]*$//' ### resolv.conf without comments
    docker exec nn1 ping -c 1 -W 2 al | head -1
    docker ps --format '{{.Names}} {{.Ports}} {{.Networks}}' | sed 's/:[0-9]*->/:N->/g'
    docker network inspect pn1 -f '{{range .Containers}}{{.Name}} {{.IPv4Address}}{{end}}'
    docker network create pn2 >/dev/null; docker network connect pn2 nn1 --alias zz; docker network connect pn2 nn1
    docker network rm pn2
    docker network disconnect pn2 nn1; docker network disconnect pn2 nn1
    docker network rm nope bridge
    docker network create bridge
    docker network create pn1
    docker network create --subnet 10.213.99.0/25 pn3
    docker network ls --format '{{.Name}} {{.Driver}} {{.Scope}}' | sort
    docker network ls -f type=custom --format '{{.Name}}' | sort
    docker network ls -f type=bad
    docker network inspect bridge -f '{{len .Options}}'
    docker network ls -f label=x --format '{{.Name}}'
    docker network ls -f name=pn --format '{{.Name}}' | sort
    docker network connect nope nn1
    docker network connect pn1 nope
    docker network connect host nn1
    docker network connect none nn1
    docker network disconnect nope nn1
    docker network disconnect pn1 nope
    docker create --name nn2 --network name=pn1,alias=one,mac-address=02:42:00:00:00:11 --network name=pn2,alias=two busybox sleep 1000 >/dev/null; docker inspect nn2 -f '{{json .NetworkSettings.Networks}} {{.Config.MacAddress}}'
    docker start nn2; docker inspect nn2 -f '{{range $name, $n := .NetworkSettings.Networks}}{{$name}} {{$n.MacAddress}} {{$n.Aliases}} {{$n.DNSNames}}{{println}}{{end}}' | sed 's/02:42:ac[^ ]*/<mac>/'; docker exec nn2 ping -c 1 -W 2 two | head -1 | sed 's/(.*)/(...)/'
    docker run --rm --network container:nn2 busybox hostname; docker run -d --name nn3 --network container:nn2 busybox sleep 1000 >/dev/null; docker inspect nn3 -f '{{.Config.Hostname}} {{.HostConfig.NetworkMode}}'
    docker stop -t 0 nn3 nn2; docker inspect nn2 -f '{{range .NetworkSettings.Networks}}{{.NetworkID}} {{.DNSNames}} {{.IPAddress}}{{println}}{{end}}'; docker rm nn3 nn2
    docker run --rm --network pn1 --ip 10.99.0.5 busybox true
    docker run --rm --network pn1 --network pn1 busybox true
    docker run --rm --network pn1 --network host busybox true
    docker run --rm --network name=pn1,mac-address=bad busybox true
    docker run --rm --network name=pn1,nope=1 busybox true
    docker run --rm --network pn2 --ip 10.99.0.5 busybox true
    docker run --rm --network pn1 --ip6 bad --ip worse --link-local-ip foo busybox true
    docker run --rm --network pn1 --ip6 fd00:78::5 busybox true
    docker run --rm --network pn1 --link-local-ip 224.0.0.1 busybox true
    docker run --rm --network pn1 --link-local-ip 169.254.3.3 busybox sh -c 'ip addr show eth0 | grep -c 169.254.3.3/16; cat /proc/sys/net/ipv6/conf/eth0/disable_ipv6'
    docker create --name nn4 --network name=pn1,driver-opt=a=b busybox true >/dev/null; docker inspect nn4 -f '{{json .NetworkSettings.Networks.pn1.DriverOpts}} {{json .Config.Env}}'; docker network connect --ip 1.2.3.4 pn2 nn4; docker network connect --ip 1.2.3.4 --link-local-ip z pn2 nn4; docker rm nn4
    docker rm -f nn1; docker network prune -f | sort
    docker run --rm -p 8:x busybox true
    docker run --rm -p 1.2.3.4.5:80:80 busybox true
    docker run --rm -p 80:80/foo busybox true
    docker run --rm -p 70000:80 busybox true
    docker run --rm --ip 172.17.0.99 busybox true
    docker run --rm --network-alias foo busybox true
    docker run --rm --network nope busybox true
    docker run --rm --mac-address bad busybox true
    docker run --rm --dns bad busybox true
    docker run --rm --add-host bad busybox true
    docker run --rm --add-host a:host-gateway busybox sh -c 'grep -c "[0-9]\\.1.a$" /etc/hosts'
    `,
  ),
];
