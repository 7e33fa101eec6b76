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

use super::{Services, dynamodb, events};
use crate::runtime::ports::{LostReply, NO_REPLY, SimPorts};
use crate::wire::{Request, Response};

/// The network of one invocation.
#[derive(Debug, Clone)]
pub(super) struct Network {
    services: SendWrapper<Rc<Services>>,
    ports: SendWrapper<Rc<SimPorts>>,
}

impl Network {
    pub(super) fn new(services: Rc<Services>, ports: Rc<SimPorts>) -> Self {
        Self { services: SendWrapper::new(services), ports: SendWrapper::new(ports) }
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
        let (services, ports) = (Rc::clone(&self.services), Rc::clone(&self.ports));
        HttpConnectorFuture::new(SendWrapper::new(async move {
            let response = answer(&services, &ports, &read(&request)?).await;
            let response = response.map_err(|LostReply| ConnectorError::io(NO_REPLY.into()))?;
            write(response)
        }))
    }
}

impl AsyncSleep for Network {
    fn sleep(&self, time: Duration) -> Sleep {
        Sleep::new(SendWrapper::new(self.ports.sim.sleep(time)))
    }
}

impl TimeSource for Network {
    fn now(&self) -> SystemTime {
        self.ports.sim.with(|world| world.env().wall_clock())
    }
}

/// The service that a request is for answers it.
async fn answer(services: &Services, ports: &SimPorts, request: &Request) -> Result<Response, LostReply> {
    let Some(target) = request.header("x-amz-target") else {
        // STS. The native ports have no sessions, so one that is given costs neither time nor a draw. One that is denied takes the
        // place of the call it was for, which is not made.
        let session = ports.sim.with(|world| services.answer(world, request));
        if session.status == 200 {
            return Ok(session);
        }
        return ports.call(|world| services.answer(world, request)).await;
    };
    if let Some(operation) = target.strip_prefix(dynamodb::TARGET) {
        return ports.call(|world| services.dynamodb.answer(world, operation, &request.body)).await;
    }
    match target {
        events::PUT_EVENTS => ports.call(|world| events::put_events(world, &request.body)).await,
        _ => ports.call(|world| services.answer(world, request)).await,
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
