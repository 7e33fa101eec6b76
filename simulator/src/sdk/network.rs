//! What the SDK asks of a runtime: an HTTP client, pauses and the time, all on the virtual clock.
//!
//! The SDK wants to be able to move them between threads. A simulation never leaves the one it runs on, and [`SendWrapper`] holds it to
//! that: a use on another thread is a panic. So a request is polled right where a native call would be, and the order of all that
//! happens stays what it was.

use std::rc::Rc;
use std::time::{Duration, SystemTime};

use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_async::time::TimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use send_wrapper::SendWrapper;

use super::{dynamodb, events};
use crate::runtime::ports::{LostReply, NO_REPLY, SimPorts};
use crate::wire::{Request, Response};

/// The network of one invocation.
#[derive(Debug, Clone)]
pub(super) struct Network(SendWrapper<Rc<SimPorts>>);

impl Network {
    pub(super) fn new(ports: Rc<SimPorts>) -> Self {
        Self(SendWrapper::new(ports))
    }
}

impl HttpClient for Network {
    /// The limits of a connection are not looked at: one always stands, and the SDK's own limit of an attempt is no longer than
    /// that of a read.
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Network {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let ports = Rc::clone(&self.0);
        HttpConnectorFuture::new(SendWrapper::new(async move {
            let response = answer(&ports, &read(&request)?).await;
            let response = response.map_err(|LostReply| ConnectorError::io(NO_REPLY.into()))?;
            write(response)
        }))
    }
}

impl AsyncSleep for Network {
    fn sleep(&self, time: Duration) -> Sleep {
        Sleep::new(SendWrapper::new(self.0.sim.sleep(time)))
    }
}

impl TimeSource for Network {
    fn now(&self) -> SystemTime {
        self.0.sim.with(|world| world.wall_clock())
    }
}

/// The service that a request is for answers it.
async fn answer(ports: &SimPorts, request: &Request) -> Result<Response, LostReply> {
    let Some(target) = request.header("x-amz-target") else {
        // STS. The native ports have no sessions, so one that is given costs neither time nor a draw. One that is denied takes the
        // place of the call it was for, which is not made.
        let session = ports.sim.with(|world| world.answer(request));
        return if session.status == 200 { Ok(session) } else { ports.call(|world| world.answer(request)).await };
    };
    let services = ports.sim.sdk.as_ref();
    if let (Some(operation), Some(services)) = (target.strip_prefix(dynamodb::TARGET), services) {
        return ports.call(|world| services.dynamodb.answer(world, operation, &request.body)).await;
    }
    match target {
        events::PUT_EVENTS => ports.call(|world| events::put_events(world, &request.body)).await,
        _ => ports.call(|world| world.answer(request)).await,
    }
}

fn read(request: &HttpRequest) -> Result<Request, ConnectorError> {
    let body = request.body().bytes().ok_or_else(|| ConnectorError::user("a body that is streamed".into()))?;
    let headers = request.headers().iter().map(|(name, value)| (name.to_owned(), value.to_owned()));
    Ok(Request { headers: headers.collect(), body: body.to_vec() })
}

fn write(response: Response) -> Result<HttpResponse, ConnectorError> {
    let status = StatusCode::try_from(response.status).map_err(|error| ConnectorError::user(error.into()))?;
    let mut http = HttpResponse::new(status, SdkBody::from(response.body));
    for (name, value) in response.headers {
        http.headers_mut().try_insert(name, value).map_err(|error| ConnectorError::user(error.into()))?;
    }
    Ok(http)
}
