//! UDP sockets: made with buffers that were asked for and checked, many datagrams a system call,
//! and what the kernel says of drops and of the path.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;
use std::time::Duration;

use nix::sys::socket::{
    self, AddressFamily, ControlMessageOwned, MsgFlags, MultiHeaders, SockFlag, SockType,
    SockaddrStorage, getsockopt, recvmmsg, sendmmsg, setsockopt, sockopt,
};
// The one thing that nix has not.
use rustix::net::sockopt::{
    Ipv4PathMtuDiscovery, Ipv6PathMtuDiscovery, set_ip_mtu_discover, set_ipv6_mtu_discover,
};

use super::datagram::MAX_DATAGRAM;

/// Datagrams in one system call.
pub const VECTOR: usize = 64;

/// IPv4 and IPv6 headers with UDP's, in bytes.
const HEADERS_V4: usize = 28;
const HEADERS_V6: usize = 48;
/// What every IPv6 path carries (RFC 8200), and what every IPv4 path in practice does.
const LEAST_MTU: usize = 1280;

/// Binds a socket for receiving; `shared`, when several do so.
///
/// # Errors
/// When the address is taken or not ours.
pub fn bind(address: SocketAddr, shared: bool) -> io::Result<UdpSocket> {
    let family = if address.is_ipv4() { AddressFamily::Inet } else { AddressFamily::Inet6 };
    let socket = socket::socket(family, SockType::Datagram, SockFlag::SOCK_CLOEXEC, None)?;
    if shared {
        setsockopt(&socket, sockopt::ReusePort, &true)?;
    }
    socket::bind(socket.as_raw_fd(), &SockaddrStorage::from(address))?;
    setsockopt(&socket, sockopt::RxqOvfl, &1)?;
    Ok(socket.into())
}

/// A socket connected to `address`, so that the kernel tells of ICMP errors; it does not fragment.
///
/// # Errors
/// When there is no route, or no descriptor.
pub fn connect(address: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any)?;
    allow_fragments(&socket, false)?;
    socket.connect(address)?;
    Ok(socket)
}

/// Whether the kernel may cut what is larger than the path carries, or refuses it.
///
/// # Errors
/// When the socket cannot be asked.
pub fn allow_fragments(socket: &UdpSocket, allow: bool) -> io::Result<()> {
    if socket.local_addr()?.is_ipv4() {
        let v4 = if allow { Ipv4PathMtuDiscovery::DONT } else { Ipv4PathMtuDiscovery::DO };
        set_ip_mtu_discover(socket, v4)?;
    } else {
        let v6 = if allow { Ipv6PathMtuDiscovery::DONT } else { Ipv6PathMtuDiscovery::DO };
        set_ipv6_mtu_discover(socket, v6)?;
    }
    Ok(())
}

/// Asks for a receive buffer of so many bytes; returns how many it got.
///
/// # Errors
/// When the socket cannot be asked.
pub fn set_receive_buffer(socket: &UdpSocket, bytes: usize) -> io::Result<usize> {
    // Beyond the limit only for the privileged; the others get what the limit allows.
    if setsockopt(socket, sockopt::RcvBufForce, &bytes).is_err() {
        setsockopt(socket, sockopt::RcvBuf, &bytes)?;
    }
    // Linux doubles what it is asked for, and tells the double (socket(7)).
    Ok(getsockopt(socket, sockopt::RcvBuf)? / 2)
}

/// Asks for a send buffer of so many bytes; returns how many it got.
///
/// # Errors
/// When the socket cannot be asked.
pub fn set_send_buffer(socket: &UdpSocket, bytes: usize) -> io::Result<usize> {
    if setsockopt(socket, sockopt::SndBufForce, &bytes).is_err() {
        setsockopt(socket, sockopt::SndBuf, &bytes)?;
    }
    Ok(getsockopt(socket, sockopt::SndBuf)? / 2)
}

/// The largest datagram that a link of this MTU carries to `address`, in bytes.
pub fn datagram_size(address: SocketAddr, mtu: usize) -> usize {
    let headers = if address.is_ipv4() { HEADERS_V4 } else { HEADERS_V6 };
    mtu.max(LEAST_MTU).saturating_sub(headers).min(MAX_DATAGRAM)
}

/// The MTU of the path of a connected socket, as far as the kernel knows it.
///
/// # Errors
/// When it does not.
pub fn path_mtu(socket: &UdpSocket) -> io::Result<usize> {
    let local = socket.local_addr()?;
    if local.is_ipv4() {
        let mtu = getsockopt(socket, sockopt::IpMtu)?;
        return usize::try_from(mtu).map_err(io::Error::other);
    }
    // Of an IPv6 path we can only ask how large the first link is.
    interface_mtu(local).ok_or_else(|| io::Error::other("no interface has our address"))
}

fn interface_mtu(local: SocketAddr) -> Option<usize> {
    let mut addresses = nix::ifaddrs::getifaddrs().ok()?;
    let own = addresses.find(|interface| {
        let address = interface.address.as_ref().and_then(SockaddrStorage::as_sockaddr_in6);
        address.is_some_and(|address| address.ip() == local.ip())
    })?;
    let path = format!("/sys/class/net/{}/mtu", own.interface_name);
    std::fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// Sends datagrams over a connected socket; returns how many were handed to the kernel, which is
/// at least one.
///
/// # Errors
/// Why the first one was not.
pub fn send(socket: &UdpSocket, datagrams: &[&[u8]]) -> io::Result<usize> {
    let datagrams = datagrams.get(..VECTOR).unwrap_or(datagrams);
    let slices: Vec<[IoSlice<'_>; 1]> =
        datagrams.iter().map(|datagram| [IoSlice::new(datagram)]).collect();
    let addresses: Vec<Option<SockaddrStorage>> = vec![None; slices.len()];
    let mut headers = MultiHeaders::preallocate(slices.len(), None);
    let flags = MsgFlags::MSG_NOSIGNAL;
    let sent = sendmmsg(socket.as_raw_fd(), &mut headers, &slices, addresses, [], flags)?;
    Ok(sent.count())
}

/// Buffers for receiving many datagrams at once.
pub struct Inlet {
    buffers: Vec<Vec<u8>>,
    lengths: Vec<(usize, Option<SocketAddr>)>,
    drops: u32,
}

impl Inlet {
    /// Buffers for datagrams of any size; memory is used for as much as arrives.
    pub fn new() -> Self {
        let buffer = || vec![0; MAX_DATAGRAM];
        Self {
            buffers: (0..VECTOR).map(|_| buffer()).collect(),
            lengths: Vec::with_capacity(VECTOR),
            drops: 0,
        }
    }

    /// Waits for datagrams, as long as the socket's timeout says; returns how many the kernel has
    /// dropped since the last call, as far as is known.
    ///
    /// # Errors
    /// When none came in time, or the socket fails.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<u64> {
        self.lengths.clear();
        let mut slices: Vec<[IoSliceMut<'_>; 1]> =
            self.buffers.iter_mut().map(|buffer| [IoSliceMut::new(buffer)]).collect();
        // Made anew each time: the kernel writes into the headers how much it used of them.
        let space = nix::cmsg_space!(u32);
        let mut headers = MultiHeaders::<SockaddrStorage>::preallocate(VECTOR, Some(space));
        let flags = MsgFlags::MSG_WAITFORONE;
        let received = recvmmsg(socket.as_raw_fd(), &mut headers, slices.iter_mut(), flags, None)?;
        let mut drops = self.drops;
        for message in received {
            for control in message.cmsgs().into_iter().flatten() {
                if let ControlMessageOwned::RxqOvfl(count) = control {
                    drops = count;
                }
            }
            self.lengths.push((message.bytes, message.address.as_ref().and_then(address_of)));
        }
        let new = drops.wrapping_sub(self.drops);
        self.drops = drops;
        Ok(u64::from(new))
    }

    /// What was received: from whom, and the bytes, to be opened in place.
    pub fn datagrams(&mut self) -> impl Iterator<Item = (SocketAddr, &mut [u8])> {
        self.buffers
            .iter_mut()
            .zip(&self.lengths)
            .filter_map(|(buffer, (length, from))| Some(((*from)?, buffer.get_mut(..*length)?)))
    }
}

fn address_of(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::V4((*v4).into()));
    v4.or_else(|| address.as_sockaddr_in6().map(|v6| SocketAddr::V6((*v6).into())))
}

/// Sets how long [`Inlet::receive`] waits.
///
/// # Errors
/// When the socket cannot be asked.
pub fn set_patience(socket: &UdpSocket, patience: Duration) -> io::Result<()> {
    socket.set_read_timeout(Some(patience))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(address: &str) -> (UdpSocket, UdpSocket) {
        let receiver = bind(address.parse().unwrap(), false).unwrap();
        set_patience(&receiver, Duration::from_secs(5)).unwrap();
        let sender = connect(receiver.local_addr().unwrap()).unwrap();
        (receiver, sender)
    }

    #[test]
    fn many_datagrams_go_and_come_in_one_call() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (receiver, sender) = pair(address);
            let sent: Vec<Vec<u8>> = (0..VECTOR).map(|n| vec![7; 10 + n]).collect();
            let slices: Vec<&[u8]> = sent.iter().map(Vec::as_slice).collect();
            assert_eq!(send(&sender, &slices).unwrap(), VECTOR);
            let mut inlet = Inlet::new();
            let mut came = Vec::new();
            while came.len() < VECTOR {
                assert_eq!(inlet.receive(&receiver).unwrap(), 0);
                let local = sender.local_addr().unwrap();
                came.extend(inlet.datagrams().map(|(from, bytes)| {
                    assert_eq!(from.port(), local.port());
                    bytes.to_vec()
                }));
            }
            assert_eq!(came, sent);
        }
    }

    #[test]
    fn the_kernel_tells_how_many_it_dropped() {
        let (receiver, sender) = pair("127.0.0.1:0");
        assert!(set_receive_buffer(&receiver, 16 * 1024).unwrap() >= 16 * 1024);
        for _ in 0..200 {
            sender.send(&[7; 1000]).unwrap();
        }
        let mut inlet = Inlet::new();
        receiver.set_nonblocking(true).unwrap();
        let (mut came, mut dropped) = (0, 0);
        while let Ok(drops) = inlet.receive(&receiver) {
            dropped += drops;
            came += inlet.datagrams().count();
        }
        // Told with the next datagram that has room, and not twice.
        for _ in 0..2 {
            sender.send(b"x").unwrap();
            dropped += inlet.receive(&receiver).unwrap();
        }
        assert!(came > 0 && came < 200, "{came}");
        assert_eq!(came as u64 + dropped, 200);
    }

    #[test]
    fn the_loopback_path_carries_the_largest_datagrams() {
        for address in ["127.0.0.1:0", "[::1]:0"] {
            let (receiver, sender) = pair(address);
            let mtu = path_mtu(&sender).unwrap();
            let size = datagram_size(receiver.local_addr().unwrap(), mtu);
            assert!(size >= 65_000, "{mtu}");
            sender.send(&vec![1; size]).unwrap();
        }
        assert_eq!(datagram_size("10.0.0.1:1".parse().unwrap(), 1500), 1472);
        assert_eq!(datagram_size("[2001:db8::1]:1".parse().unwrap(), 1500), 1452);
    }

    #[test]
    fn nobody_listening_is_told_at_the_next_send() {
        let (receiver, sender) = pair("127.0.0.1:0");
        drop(receiver);
        drop(send(&sender, &[b"x"]));
        let error = send(&sender, &[b"x"]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }
}
